import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { RekindleError } from '#base/errors.ts';

/** QEMU Machine Protocol (QEMU documentation, "QMP specification"): JSON, one object a line. */
export interface QmpClient {
  /** Fails with `unexpected` when QEMU refuses the command or ends before it answered. */
  execute(command: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown>;
}

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

export async function openQmp(stream: Duplex, machine: string): Promise<QmpClient> {
  const lines = createInterface({ input: stream });
  const waiting = new Map<number, { command: string; resolve: (answer: Answer) => void }>();
  let nextId = 1;
  let closed = false;

  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    // The greeting and the events carry no id.
    if (answer.id === undefined) return;
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
  });
  const end = (): void => {
    closed = true;
    for (const { resolve } of waiting.values()) {
      resolve({ error: { class: 'Closed', desc: 'QEMU ended before it answered' } });
    }
    waiting.clear();
  };
  lines.once('close', end);
  stream.on('error', end);
  // The line reader passes an error of its stream on: QEMU that quits resets the connection at times.
  lines.on('error', end);

  const client: QmpClient = {
    execute: async (command, parameters = {}) => {
      const answer = await new Promise<Answer>((resolve) => {
        if (closed) return resolve({ error: { class: 'Closed', desc: 'QEMU has ended' } });
        const id = nextId++;
        waiting.set(id, { command, resolve });
        stream.write(`${JSON.stringify({ execute: command, arguments: parameters, id })}\n`);
      });
      if (answer.error !== undefined) {
        throw new RekindleError('unexpected', `${machine}: QEMU refused ${command}`, {
          cause: new Error(answer.error.desc),
          details: { parameters },
        });
      }
      return answer.return;
    },
  };
  await once(lines, 'line');
  await client.execute('qmp_capabilities');
  return client;
}
