import { PassThrough } from 'node:stream';
import type { TerminalPort } from '#runtime/console/terminal.ts';

/** A port of plain pipes, with everything that was ever written to it. */
export interface PipedPort extends TerminalPort {
  readonly input: PassThrough;
  readonly output: PassThrough;
  readonly written: () => string;
  /** Resolves when the text has been written since the last call; rejects with the screen after a while. */
  readonly waitFor: (text: string, seconds?: number) => Promise<void>;
  readonly type: (text: string) => void;
}

export function createPipedPort(name = 'pipe'): PipedPort {
  const input = new PassThrough();
  const output = new PassThrough();
  let written = '';
  let seen = 0;
  output.on('data', (bytes: Buffer) => {
    written += bytes.toString('utf8');
  });
  return {
    name,
    input,
    output,
    open: () => ({ input, output }),
    written: () => written,
    type: (text) => input.write(text),
    async waitFor(text, seconds = 40) {
      for (const deadline = performance.now() + seconds * 1000; ; ) {
        const at = written.indexOf(text, seen);
        if (at !== -1) {
          seen = at + text.length;
          return;
        }
        if (performance.now() > deadline) {
          throw new Error(`"${text}" did not come within ${seconds} s; the screen:\n${written.slice(-3000)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

/**
 * What a screen of 80 columns shows after these characters: CR, LF, BS and text, and a wrap where a terminal
 * would wrap. Nothing else may come from the runtime, so anything else throws.
 */
export function renderScreen(characters: string, columns = 80, rows = 25): string[] {
  const lines: string[][] = [[]];
  let column = 0;
  for (const character of characters) {
    const line = lines.at(-1) ?? [];
    switch (character) {
      case '\r':
        column = 0;
        break;
      case '\n':
        lines.push([]);
        break;
      case '\b':
        column = Math.max(0, column - 1);
        break;
      default:
        if (character < ' ' || character > '~')
          throw new Error(`no plain text: ${JSON.stringify(character)}`);
        if (column === columns) throw new Error(`a line is longer than ${columns}: ${line.join('')}`);
        while (line.length < column) line.push(' ');
        line[column] = character;
        column += 1;
    }
  }
  return lines.map((line) => line.join('').trimEnd()).slice(-rows);
}
