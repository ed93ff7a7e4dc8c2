import { busyTimeoutMs, inTransaction, type State } from './state.ts';

/**
 * Facts that are written a moment later, many in one transaction, so that nobody who answers machines waits for the
 * disk or for another process that writes to the state.
 */
export interface DeferredWrites<Item> {
  /** Never throws. What cannot be written is tried again and reported. */
  add(item: Item): void;
  /** Writes at once what waits; the last thing before the state is closed. */
  flush(): void;
}

const writesAfterMs = 20;
const triesAgainAfterMs = 1000;
/** While nothing can be written, the oldest of more than these are lost. */
const waitingMost = 10_000;
/** SQLITE_BUSY: another process is writing. */
const sqliteBusy = 5;

export function deferWrites<Item>(
  state: State,
  write: (item: Item) => void,
  onFailure: (error: unknown) => void,
): DeferredWrites<Item> {
  let waiting: Item[] = [];
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    try {
      withoutWaiting(state, () => {
        for (const item of waiting) write(item);
      });
      waiting = [];
    } catch (error) {
      waiting = waiting.slice(-waitingMost);
      const isBusy = (error as { errcode?: number }).errcode === sqliteBusy;
      if (!isBusy) onFailure(error);
      timer = setTimeout(flush, isBusy ? writesAfterMs : triesAgainAfterMs).unref();
    }
  };

  return {
    add(item) {
      waiting.push(item);
      timer ??= setTimeout(flush, writesAfterMs).unref();
    },
    flush,
  };
}

/** In one transaction, or not at all while another process writes: DHCP and TFTP do not stand still for it. */
function withoutWaiting(state: State, work: () => void): void {
  state.exec('PRAGMA busy_timeout = 0');
  try {
    inTransaction(state, work);
  } finally {
    state.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  }
}
