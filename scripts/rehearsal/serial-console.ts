import { createWriteStream } from 'node:fs';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { readTerminalText, terminalTextStart } from './terminal-text.ts';

export interface WaitOptions {
  readonly timeoutSeconds: number;
}

export interface TypeOptions {
  /** Pause after every character, as of a person's hand. */
  readonly perCharacterMilliseconds?: number;
}

/** The serial line of a machine: what it prints, as text without terminal sequences, and its keyboard. */
export interface SerialConsole {
  /**
   * The first match in what was printed since the previous match; that output is consumed. Fails with
   * `verification-failed` after the time or when the line closes, with the last lines seen as cause.
   */
  waitFor(pattern: RegExp, options: WaitOptions): Promise<RegExpExecArray>;
  type(text: string, options?: TypeOptions): Promise<void>;
  /** Everything printed so far. */
  text(): string;
}

const lastLinesShown = 12;
const typingPauseMilliseconds = 5;

/** `transcript` gets every byte as it came. */
export function openSerialConsole(stream: Duplex, transcript: string, machine: string): SerialConsole {
  const file = createWriteStream(transcript);
  const decoder = new TextDecoder();
  let terminal = terminalTextStart;
  let printed = '';
  let consumed = 0;
  let closed = false;
  const changed = new Set<() => void>();
  const announce = (): void => {
    for (const waiter of changed) waiter();
  };

  stream.on('data', (bytes: Buffer) => {
    file.write(bytes);
    const { text, state } = readTerminalText(terminal, decoder.decode(bytes, { stream: true }));
    terminal = state;
    printed += text;
    announce();
  });
  // An error here is the end of QEMU; whoever waits learns it as a closed line.
  finished(stream, { writable: false })
    .catch(() => undefined)
    .finally(() => {
      closed = true;
      file.end();
      announce();
    });

  const take = (pattern: RegExp): RegExpExecArray | null => {
    const match = pattern.exec(printed.slice(consumed));
    if (match !== null) consumed += match.index + match[0].length;
    return match;
  };

  const failure = (pattern: RegExp, reason: string): RekindleError =>
    new RekindleError('verification-failed', `${machine} did not print ${pattern}: ${reason}`, {
      cause: new Error(`its last lines were:\n${lastLines(printed)}`),
      next: `Read the whole console in ${transcript}.`,
    });

  return {
    waitFor: (pattern, { timeoutSeconds }) => {
      // A pattern with a position of its own would skip text.
      const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => settle(() => reject(failure(pattern, `waited ${timeoutSeconds} s`))),
          timeoutSeconds * 1000,
        );
        const settle = (finish: () => void): void => {
          clearTimeout(timer);
          changed.delete(look);
          finish();
        };
        const look = (): void => {
          const match = take(stateless);
          if (match !== null) settle(() => resolve(match));
          else if (closed) settle(() => reject(failure(pattern, 'the machine ended')));
        };
        changed.add(look);
        look();
      });
    },
    type: async (text, { perCharacterMilliseconds = typingPauseMilliseconds } = {}) => {
      for (const character of text) {
        stream.write(character);
        await sleep(perCharacterMilliseconds);
      }
    },
    text: () => printed,
  };
}

function lastLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lastLinesShown)
    .join('\n');
}
