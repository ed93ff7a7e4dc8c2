/**
 * T-SQL's LIKE (SQL Server documentation, "LIKE (Transact-SQL)") for database names: `%`, `_`, `[abc]`, `[a-z]`,
 * `[^x]`. Capital letters do not count, whatever the instance's collation: a name that differs from WinCC's own
 * in nothing else is WinCC's.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  return expressionOf(pattern).test(name);
}

function expressionOf(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at);
    if (character === '%') source += '.*';
    else if (character === '_') source += '.';
    else if (character === '[') {
      const end = pattern.indexOf(']', at + 2);
      if (end === -1) throw new RangeError(`the pattern ${pattern} has no end of its set`);
      const set = pattern.slice(at + 1, end);
      const not = set.startsWith('^') && set.length > 1;
      source += `[${not ? '^' : ''}${(not ? set.slice(1) : set).replace(/[\\\]^]/g, '\\$&')}]`;
      at = end;
    } else source += character.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  }
  return new RegExp(`^${source}$`, 'isu');
}
