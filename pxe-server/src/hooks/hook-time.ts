import type { Hook } from '#contract/hook.ts';

/**
 * One hook's work on the server within its time: not everybody whom a hook asks heeds a signal, and nobody waits longer.
 * @param stopping the service ends
 */
export async function withinHookTime<T>(
  { timeoutSeconds }: Pick<Hook, 'timeoutSeconds'>,
  work: (signal: AbortSignal) => Promise<T>,
  stopping?: AbortSignal,
): Promise<T> {
  const time = new AbortController();
  const late = () => time.abort(new Error(`it was not ready after ${timeoutSeconds} s`));
  const timer = setTimeout(late, timeoutSeconds * 1000);
  const signal = stopping === undefined ? time.signal : AbortSignal.any([stopping, time.signal]);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(signal.reason);
  signal.addEventListener('abort', end);
  try {
    signal.throwIfAborted();
    return await Promise.race([work(signal), ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
