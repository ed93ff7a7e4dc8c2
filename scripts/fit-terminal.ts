/**
 * Lines that are wider than a terminal, broken between words and indented as their first line is, or by
 * `hanging` characters. A word (a path, a command) is never broken: it has to be copied from the screen.
 * Without a number of columns (a pipe, a file) the text stays as it is.
 */
export function fitTerminal(text: string, columns: number | undefined, hanging?: number): string {
  if (columns === undefined) return text;
  return text
    .split('\n')
    .flatMap((line) => fitLine(line, columns, hanging ?? (/^ *(- )?/.exec(line)?.[0].length || 0)))
    .join('\n');
}

function fitLine(line: string, columns: number, hanging: number): string[] {
  const lines: string[] = [];
  let rest = line;
  // Some terminals go to the next line already when the last column is written.
  while (rest.length >= columns) {
    const fits = rest.lastIndexOf(' ', columns - 1);
    const gap = fits > hanging ? fits : rest.indexOf(' ', Math.max(hanging, columns - 1));
    if (gap === -1) break;
    lines.push(rest.slice(0, gap).trimEnd());
    rest = ' '.repeat(hanging) + rest.slice(gap + 1).trimStart();
  }
  return [...lines, rest];
}

/** A sentence on standard output, fitted to the terminal. */
export function say(text: string, hanging?: number): void {
  console.log(fitTerminal(text, columnsOf(process.stdout), hanging));
}

/** Columns of the terminal that a stream is, or undefined where it is none. */
export function columnsOf(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? stream.columns : undefined;
}
