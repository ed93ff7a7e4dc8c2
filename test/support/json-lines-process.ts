import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { NetworkNamespace } from './network-namespace.ts';

/** A program of ours inside a namespace, which prints one JSON value a line. */
export interface JsonLinesProcess<Value> {
  /** Everything printed so far. */
  readonly values: readonly Value[];
  /** The first value, printed or still to come, that fits; throws after `seconds` (5) with what was printed. */
  waitFor(fits: (value: Value) => boolean, seconds?: number): Promise<Value>;
  send(value: unknown): void;
  /** Ends the program in good order and returns its exit code. */
  stop(): Promise<number | null>;
}

export function startJsonLines<Value>(
  namespace: NetworkNamespace,
  script: URL,
  argument: unknown,
): JsonLinesProcess<Value> {
  const child = namespace.spawn(process.execPath, [script.pathname, JSON.stringify(argument)]);
  const values: Value[] = [];
  const waiting = new Set<() => void>();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const wake = () => {
    for (const look of waiting) look();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    values.push(JSON.parse(line) as Value);
    wake();
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  void closed.then(wake);

  return {
    values,
    waitFor: (fits, seconds = 5) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        };
        const fail = (why: string) =>
          finish(() => reject(new Error(`${why}; printed: ${JSON.stringify(values.slice(-8))} ${stderr}`)));
        const look = () => {
          const value = values.find(fits);
          if (value !== undefined) finish(() => resolve(value));
          else if (child.exitCode !== null) fail(`the program ended with ${child.exitCode}`);
        };
        const timer = setTimeout(() => fail(`nothing fitting came within ${seconds} s`), seconds * 1000);
        waiting.add(look);
        look();
      }),
    send: (value) => void child.stdin.write(`${JSON.stringify(value)}\n`),
    async stop() {
      child.stdin.end();
      const [code] = await closed;
      return code;
    },
  };
}
