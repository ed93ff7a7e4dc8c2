import type { StepEvent } from '#contract/run-report.ts';
import { type RunListener, toStepEvent } from './step-events.ts';

/** Progress that often is plenty for whoever watches from the server. */
const postEverySeconds = 2;
/** While the server is away events are kept, up to that many; then the oldest progress goes first. */
const keptEvents = 2000;

export interface EventPost {
  readonly listen: RunListener;
  /** From now on events go there; what happened before goes first. */
  sendTo(post: (events: readonly StepEvent[]) => Promise<void>): void;
  /** Sends what is left, once; used before the report. Never throws. */
  flush(): Promise<void>;
  stop(): void;
}

/**
 * Step events for the server, in batches. It never holds up the run: nothing waits for it, and a lost server
 * only means that events stay here until it answers again. Of the progress of one step only the newest is kept.
 */
export function createEventPost(everySeconds = postEverySeconds): EventPost {
  let waiting: StepEvent[] = [];
  let post: ((events: readonly StepEvent[]) => Promise<void>) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;

  const send = async () => {
    if (post === undefined || waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    try {
      await post(batch);
    } catch {
      // The report carries every step again; here only the live view loses something.
      waiting = [...batch, ...waiting].slice(-keptEvents);
    }
  };
  const sendOnce = () => {
    sending ??= send().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  return {
    listen(runEvent) {
      const event = toStepEvent(runEvent);
      const last = waiting.at(-1);
      const replacesLast =
        event.doneBytes !== undefined && last?.doneBytes !== undefined && last.step === event.step;
      waiting = [...(replacesLast ? waiting.slice(0, -1) : waiting), event].slice(-keptEvents);
    },
    sendTo(newPost) {
      post = newPost;
      if (timer === undefined) {
        timer = setInterval(sendOnce, everySeconds * 1000);
        timer.unref();
      }
    },
    async flush() {
      await sending;
      await sendOnce();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
