import { setTimeout as sleep } from 'node:timers/promises';

const sayEverySeconds = 10;
const pollMilliseconds = 200;

/**
 * Polls until there is a value, speaking up every few seconds; nothing when the deadline passed.
 * @param deadline as `performance.now()` counts
 */
export async function waitFor<Value>(
  look: () => Promise<Value | undefined>,
  deadline: number,
  speakUp: () => void,
): Promise<Value | undefined> {
  let speakAt = performance.now() + (sayEverySeconds * 1000) / 2;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    const now = performance.now();
    if (now >= deadline) return undefined;
    if (now >= speakAt) {
      speakUp();
      speakAt = now + sayEverySeconds * 1000;
    }
    await sleep(pollMilliseconds);
  }
}
