/**
 * Plain text for an 80x25 VGA console and a serial log at once: ASCII only, no colours. Lines are at most
 * 79 columns, because some terminals wrap when the 80th is written.
 */
const screenColumns = 80;
export const lineColumns = screenColumns - 1;
/** Beside a label that is as wide as the line there is still room for a word. */
const shortestLine = 8;

/** A consoles' font holds ASCII for certain; what a disk or a board calls itself may be anything. */
export function toPlainText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** Cut to `columns`, with `...` where something is missing. */
export function clip(text: string, columns: number = lineColumns): string {
  if (text.length <= columns) return text;
  return columns <= 3 ? text.slice(0, columns) : `${text.slice(0, columns - 3)}...`;
}

/** Words onto lines of at most `columns`; a word that is longer than a line is broken. */
export function wrap(text: string, columns: number = lineColumns): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (let word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = '';
      }
      while (word.length > columns) {
        lines.push(word.slice(0, columns));
        word = word.slice(columns);
      }
      line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines.map(toPlainText);
}

/** Wrapped text below a label of its own: `first` starts the first line, the others are indented under it. */
export function wrapBelow(first: string, text: string, columns: number = lineColumns): string[] {
  const indent = ' '.repeat(first.length);
  return wrap(text, Math.max(columns - first.length, shortestLine)).map(
    (line, index) => `${index === 0 ? first : indent}${line}`,
  );
}

/** `+---+` around the lines, as wide as a line may be. */
export function box(lines: readonly string[], columns: number = lineColumns): string[] {
  const edge = `+${'-'.repeat(columns - 2)}+`;
  const inner = columns - 4;
  return [edge, ...lines.map((line) => `| ${clip(toPlainText(line), inner).padEnd(inner)} |`), edge];
}

/** Rows under headings; columns as wide as their widest cell, the last one clipped to the line. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    clip(
      toPlainText(
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      ),
    ),
  );
}
