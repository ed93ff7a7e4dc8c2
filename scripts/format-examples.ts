/** A command as somebody would type it, and what is to be said of it. */
export type Example = string | readonly [command: string, note: string];

/** A console in text mode: the narrowest terminal that one meets. */
const columns = 80;

/**
 * The end of a verb's help. Every line fits the terminal and can be copied into a shell: the note is a comment, behind its
 * command or above it, and a command that is too long goes on in the next line after a backslash.
 */
export function formatExamples(examples: readonly Example[]): string {
  const pairs = examples.map((example) => (typeof example === 'string' ? [example] : example));
  // The notes that fit stand below each other.
  const place = Math.max(
    0,
    ...pairs.flatMap(([command = '', note]) =>
      note !== undefined && isNarrow(behind(command, note)) ? [command.length] : [],
    ),
  );
  const lines = pairs.flatMap(([command = '', note]) => {
    if (note === undefined) return wrapCommand(command);
    const oneLine = [behind(command.padEnd(place), note), behind(command, note)].find(isNarrow);
    return oneLine === undefined ? [`  # ${note}`, ...wrapCommand(command)] : [oneLine];
  });
  return ['', 'Examples:', ...lines].join('\n');
}

const behind = (command: string, note: string): string => `  ${command}  # ${note}`;
const isNarrow = (line: string): boolean => line.length < columns;

function wrapCommand(command: string): string[] {
  const lines: string[] = [];
  for (const part of partsOf(command)) {
    const longer = `${lines.at(-1)} ${part}`;
    // Room for the backslash.
    if (lines.length > 0 && isNarrow(`${longer} \\`)) lines[lines.length - 1] = longer;
    else lines.push(`${lines.length === 0 ? '  ' : '    '}${part}`);
  }
  return lines.map((line, at) => (at === lines.length - 1 ? line : `${line} \\`));
}

/** Its words, what is quoted as one, and an option together with its value. */
function partsOf(command: string): string[] {
  const parts: string[] = [];
  for (const word of command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []) {
    if (parts.at(-1)?.startsWith('--') === true && !word.startsWith('--'))
      parts.push(`${parts.pop()} ${word}`);
    else parts.push(word);
  }
  return parts;
}
