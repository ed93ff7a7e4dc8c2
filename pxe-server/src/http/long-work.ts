import { setTimeout as sleep } from 'node:timers/promises';
import { type Reply, refuse } from './endpoint.ts';

/** Well below the time after which a client takes silence for a lost connection. */
const patienceMs = 30_000;

/**
 * Work that may take longer than a client waits for a reply, once for each key at a time. Who asks while it goes on is
 * told to ask again; the first who asks after its end gets its reply. A failure is nobody's reply: the next question
 * starts anew.
 * @param message what goes on, a sentence
 */
export function createLongWork<Value>(message: string, patience = patienceMs) {
  const going = new Map<string, Promise<Reply<Value>>>();
  const stillAtIt = refuse(503, {
    code: 'still-checking',
    message,
    next: 'Ask again; nothing is lost.',
    retryAfterSeconds: 1,
  });
  return async (key: string, begin: () => Promise<Reply<Value>>): Promise<Reply<Value>> => {
    let work = going.get(key);
    if (work === undefined) {
      work = begin();
      going.set(key, work);
      work.catch(() => going.delete(key));
    }
    const waiting = new AbortController();
    const late = sleep(patience, stillAtIt, { ref: false, signal: waiting.signal });
    late.catch(() => {});
    try {
      const reply = await Promise.race([work, late]);
      if (reply !== stillAtIt) going.delete(key);
      return reply;
    } finally {
      waiting.abort();
    }
  };
}
