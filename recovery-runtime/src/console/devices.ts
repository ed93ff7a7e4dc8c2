import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { isErrno } from '#base/errno.ts';
import type { PortStreams, TerminalPort } from './terminal.ts';

/**
 * The kernel's consoles as terminal ports. `/sys/class/tty/console/active` lists them as the command line's
 * `console=` named them, e.g. `tty0 ttyS0`.
 */
function parseActiveConsoles(text: string): string[] {
  const names = text.split(/\s+/).filter((name) => name !== '');
  // tty0 is whichever virtual console is in front; one that can be read from has a number of its own.
  return [...new Set(names.map((name) => (name === 'tty0' ? 'tty1' : name)))].map((name) => `/dev/${name}`);
}

export interface ConsoleDevices {
  readonly ports: readonly TerminalPort[];
  /** Consoles that could not be opened, with the reason: printed on those that could. */
  readonly refused: readonly string[];
}

/** @param greeting written before there are streams, which take Node much longer to load and to open */
export function findConsoles(
  greeting: string,
  active = readFileSync('/sys/class/tty/console/active', 'utf8'),
): ConsoleDevices {
  const ports: TerminalPort[] = [];
  const refused: string[] = [];
  for (const path of parseActiveConsoles(active)) {
    try {
      greet(path, greeting);
      ports.push({ name: path, open: () => openConsole(path) });
    } catch (cause) {
      refused.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  return { ports, refused };
}

/** A line whose buffer is full (a serial line with flow control) does without it. */
function greet(path: string, greeting: string): void {
  const device = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    writeSync(device, `${greeting}\r\n`);
  } catch (error) {
    if (!isErrno(error, 'EAGAIN')) throw error;
  } finally {
    closeSync(device);
  }
}

/** Raw: this program echoes itself, and Ctrl-C cancels a question instead of ending the program. */
function openConsole(path: string): PortStreams {
  const input = new ReadStream(openSync(path, 'r')).setRawMode(true);
  return { input, output: new WriteStream(openSync(path, 'w')) };
}
