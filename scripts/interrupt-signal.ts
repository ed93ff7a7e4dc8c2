/**
 * Aborted by Ctrl-C or SIGTERM, once; a second Ctrl-C ends the process as it always does. What runs stops in
 * order and says what stays.
 */
export function interruptSignal(): AbortSignal & Disposable {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return Object.assign(controller.signal, {
    [Symbol.dispose]: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  });
}
