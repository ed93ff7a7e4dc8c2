/** The inside of a JSON string, in ASCII only: a body whose characters are its bytes can be signed as it is. */
export function jsonText(text: string): string {
  var parts: string[] = [];
  for (var at = 0; at < text.length; at += 1) {
    var code = text.charCodeAt(at);
    var character = text.charAt(at);
    if (character === '"' || character === '\\') parts.push(`\\${character}`);
    else if (character === '\n') parts.push('\\n');
    else if (character === '\t') parts.push('\\t');
    else if (code > 126) parts.push(`\\u${`000${code.toString(16)}`.slice(-4)}`);
    else if (code >= 32) parts.push(character);
  }
  return parts.join('');
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/** `2026-11-27T12:00:00Z` of the station's clock, which may be wrong. */
export function now(): string {
  var time = new Date();
  var day = `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
  return `${day}T${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}Z`;
}

export function linesOf(text: string): string[] {
  return text.replace(/\r/g, '').split('\n');
}

/** Of what a step printed; at most 500 characters. */
export function lastLine(text: string): string {
  var lines = linesOf(text);
  for (var at = lines.length - 1; at >= 0; at -= 1) {
    var line = (lines[at] || '').replace(/^\s+|\s+$/g, '');
    if (line !== '') return line.slice(0, 500);
  }
  return '';
}

/** Values of `name=value` lines, in their order. */
export function valuesOf(text: string, name: string): string[] {
  var lines = linesOf(text);
  var found: string[] = [];
  for (var at = 0; at < lines.length; at += 1) {
    var line = lines[at] || '';
    if (line.indexOf(`${name}=`) === 0) found.push(line.slice(name.length + 1));
  }
  return found;
}

export function numberOf(text: string, name: string): number {
  return parseInt(valuesOf(text, name)[0] || '', 10);
}
