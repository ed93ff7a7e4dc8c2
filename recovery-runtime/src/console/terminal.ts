import type { Readable, Writable } from 'node:stream';
import { createKeyReader, type Key } from './keys.ts';
import { clip, lineColumns, toPlainText } from './layout.ts';
import { editLine, type Line } from './line-editor.ts';

/** One screen with its keyboard, or one serial line. */
export interface TerminalPort {
  readonly name: string;
  /**
   * Opened anew after somebody else had the port: a stream that is merely paused still takes keys away, and
   * the kernel hangs up a terminal when the shell that had it ends.
   */
  open(): PortStreams;
}

export interface PortStreams {
  readonly input: Readable;
  readonly output: Writable;
}

export interface Question {
  readonly prompt: string;
  readonly hidden?: boolean;
  /** After that long the answer is `timed-out`; whoever asks may then only abort, never go on. */
  readonly timeoutSeconds?: number;
}

export type Answer =
  | {
      readonly kind: 'line';
      readonly text: string /** Port where Enter was pressed. */;
      readonly from: string;
    }
  | { readonly kind: 'cancelled' | 'timed-out' | 'closed' };

/**
 * Text out to every port, keys in from any of them. What is typed while nothing is asked is dropped: a
 * key pressed twice must not answer a question that was not on the screen yet.
 */
export interface Terminal {
  print(lines: readonly string[]): void;
  /** The one line that is painted over; `print` leaves it standing and goes on below it. */
  repaint(line: string): void;
  /** `print`, over the line that was painted last. */
  replace(lines: readonly string[]): void;
  ask(question: Question): Promise<Answer>;
  /** Lets somebody else read the ports' keyboards meanwhile. */
  lend(borrower: () => Promise<void>): Promise<void>;
  close(): void;
}

const newLine = '\r\n';
/** A port that has not taken that much is stuck (a serial line with flow control): it loses repaints, not lines. */
const stuckBytes = 16 * 1024;

interface OpenQuestion {
  line: Line;
  readonly finish: (answer: Answer) => void;
}

export function createTerminal(ports: readonly TerminalPort[]): Terminal {
  const opened = new Map<TerminalPort, PortStreams>();
  /** Ports that can still answer. */
  const hearing = new Set<TerminalPort>();
  let painted = '';
  let open: OpenQuestion | undefined;

  const send = (text: string, mayBeDropped = false) => {
    for (const { output } of opened.values()) {
      if (output.destroyed || (mayBeDropped && output.writableLength > stuckBytes)) continue;
      output.write(text);
    }
  };

  /** A port that breaks (a serial line pulled out) takes nothing with it but itself. */
  const lose = (port: TerminalPort, streams: PortStreams) => {
    if (opened.get(port) !== streams) return;
    opened.delete(port);
    deafen(port);
  };

  /** Keys have ended, as those of a command without a terminal; what is printed is still read by somebody. */
  const deafen = (port: TerminalPort) => {
    hearing.delete(port);
    if (hearing.size === 0) open?.finish({ kind: 'closed' });
  };

  const takeKey = (key: Key, from: string) => {
    if (open === undefined) return;
    const { finish } = open;
    const { line, echo, ended } = editLine(open.line, key);
    open.line = line;
    send(echo);
    if (ended === 'submitted') finish({ kind: 'line', text: line.text, from });
    if (ended === 'cancelled') finish({ kind: 'cancelled' });
  };

  const connect = () => {
    for (const port of ports) {
      const streams = port.open();
      const { input, output } = streams;
      const read = createKeyReader();
      opened.set(port, streams);
      hearing.add(port);
      input.on('data', (bytes: Uint8Array) => {
        for (const key of read(bytes)) takeKey(key, port.name);
      });
      input
        .on('error', () => lose(port, streams))
        .on('end', () => {
          if (opened.get(port) === streams) deafen(port);
        });
      output.on('error', () => lose(port, streams));
    }
  };
  const hangUp = () => {
    for (const { input, output } of opened.values()) {
      input.destroy();
      output.destroy();
    }
    opened.clear();
    hearing.clear();
  };
  connect();

  return {
    print(lines) {
      send((painted === '' ? '' : newLine) + lines.map((line) => line + newLine).join(''));
      painted = '';
    },
    repaint(line) {
      const text = clip(toPlainText(line));
      // Blanks over the old line instead of an erase sequence: the log of a serial line stays plain text.
      send(`\r${text.padEnd(painted.length)}`, true);
      painted = text;
    },
    replace([first = '', ...others]) {
      send([`\r${first.padEnd(painted.length)}`, ...others].map((line) => line + newLine).join(''));
      painted = '';
    },
    ask({ prompt, hidden = false, timeoutSeconds }) {
      return new Promise((resolve) => {
        let timer: NodeJS.Timeout | undefined;
        const finish = (answer: Answer) => {
          open = undefined;
          clearTimeout(timer);
          if (answer.kind === 'timed-out') send(newLine);
          resolve(answer);
        };
        if (hearing.size === 0) return finish({ kind: 'closed' });
        send((painted === '' ? '' : newLine) + prompt);
        painted = '';
        const room = lineColumns - prompt.length;
        open = { line: { text: '', hidden, maxLength: hidden ? 256 : room }, finish };
        if (timeoutSeconds !== undefined) {
          timer = setTimeout(() => finish({ kind: 'timed-out' }), timeoutSeconds * 1000);
        }
        return undefined;
      });
    },
    async lend(borrower) {
      hangUp();
      try {
        await borrower();
      } finally {
        connect();
      }
    },
    close: hangUp,
  };
}
