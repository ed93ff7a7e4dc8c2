import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { describeThisProcess } from '#base/this-process.ts';
import { type TurnPolicy, takeTurn } from '../stores/capture-turn.ts';

const beatEveryMs = 20_000;
/** Some beats may be late on a share that is slow or away for a moment. */
const silenceSeconds = 180;

export interface WaitForTurnOptions {
  readonly store: string;
  readonly station: string;
  /** The person that starts the capture. */
  readonly who: string;
  readonly policy: TurnPolicy;
  /** Does not wait: a turn that is taken is an error. */
  readonly once?: boolean;
  /** Told again and again while waiting. */
  readonly onWait?: (sentence: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * A capture's turn in its store, kept alive until it is disposed of.
 * @throws RekindleError `store-unreachable` (also: taken, when it asks once), `interrupted`
 */
export async function waitForTurn(options: WaitForTurnOptions): Promise<AsyncDisposable> {
  const { store, station, who, policy, signal } = options;
  const since = new Date().toISOString();
  const holder = { id: randomUUID(), station, who, since, silenceSeconds, process: describeThisProcess() };
  for (;;) {
    const answer = await takeTurn(store, holder, policy);
    if (answer.kind === 'taken') {
      const { turn } = answer;
      // A beat that fails is a share that is away, and the capture itself notices that.
      const timer = setInterval(() => void turn.beat().catch(() => {}), beatEveryMs);
      timer.unref();
      return {
        async [Symbol.asyncDispose]() {
          clearInterval(timer);
          await turn.release();
        },
      };
    }
    if (options.once === true) {
      throw new RekindleError('store-unreachable', `Capturing ${station} into ${store}: ${answer.sentence}`, {
        next: 'Wait until it has ended, or let this command wait.',
      });
    }
    options.onWait?.(answer.sentence);
    await sleep(answer.retrySeconds * 1000, undefined, signal === undefined ? {} : { signal }).catch(() => {
      throw new RekindleError('interrupted', `Waiting for the turn to capture ${station}: interrupted`, {
        next: 'Start the capture again; nothing was read.',
      });
    });
  }
}
