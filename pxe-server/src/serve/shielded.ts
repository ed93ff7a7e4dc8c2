import type { Logger } from './log.ts';

/**
 * A handler of events whose own failure (a state that cannot be written, a disk that is full) is a line in the log: it
 * must not take down the socket that the event came from.
 */
export function shielded<Event>(
  log: Logger,
  doing: string,
  handler: (event: Event) => void,
): (event: Event) => void {
  return (event) => {
    try {
      handler(event);
    } catch (error) {
      log.error({ doing, err: error }, 'handler failed');
    }
  };
}
