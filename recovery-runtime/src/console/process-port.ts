import { PassThrough, type Writable } from 'node:stream';
import type { TerminalPort } from './terminal.ts';

/**
 * The terminal that a command was started in. Keys come raw, so Ctrl-C arrives as a character: it cancels the
 * question that stands, and `onInterrupt` hears of it when none does. Streams of the process stay open afterwards.
 */
export function processPort(output: Writable, onInterrupt: () => void): TerminalPort {
  const { stdin } = process;
  return {
    name: 'terminal',
    open() {
      const keys = new PassThrough();
      const screen = new PassThrough();
      const take = (bytes: Buffer): void => {
        if (bytes.includes(3)) onInterrupt();
        keys.write(bytes);
      };
      const end = (): void => void keys.end();
      if (stdin.isTTY) stdin.setRawMode(true);
      stdin.on('data', take).on('end', end);
      screen.on('data', (bytes: Buffer) => output.write(bytes));
      keys.once('close', () => {
        stdin.off('data', take).off('end', end);
        if (stdin.isTTY) stdin.setRawMode(false);
        stdin.pause();
      });
      return { input: keys, output: screen };
    },
  };
}
