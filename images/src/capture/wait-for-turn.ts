import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorChain, RekindleError } from '#base/errors.ts';
import { describeThisProcess } from '#base/this-process.ts';
import { type Turn, type TurnPolicy, takeTurn } from '../stores/capture-turn.ts';

const beatEveryMs = 20_000;
/** Another one who looks at the turn may have moved it for a moment. */
const lookAgainMs = 1000;
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
  /** Told, instead of an error, that the turn could not be ended: the capture is over by then. */
  readonly onLeft?: (sentence: string) => void;
  readonly signal?: AbortSignal;
}

/** A turn that is kept alive until it is disposed of. */
export interface HeldTurn extends AsyncDisposable {
  /** Aborted as soon as a sign of life shows that the turn is another capture's; its reason is the error to tell. */
  readonly lost: AbortSignal;
  /** @throws RekindleError `store-unreachable`: the turn is lost */
  assertHeld(): Promise<void>;
}

/**
 * A capture's turn in its store, kept alive until it is disposed of.
 * @throws RekindleError `store-unreachable` (also: taken, when it asks once), `interrupted`
 */
export async function waitForTurn(options: WaitForTurnOptions): Promise<HeldTurn> {
  const { store, station, who, policy, signal } = options;
  const since = new Date().toISOString();
  const holder = { id: randomUUID(), station, who, since, silenceSeconds, process: describeThisProcess() };
  for (;;) {
    const answer = await takeTurn(store, holder, policy);
    if (answer.kind === 'taken') {
      return holdTurn(answer.turn, options);
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

function holdTurn(turn: Turn, { store, station, onLeft }: WaitForTurnOptions): HeldTurn {
  const loss = new AbortController();
  const beat = async (): Promise<void> => {
    if (await turn.beat()) return;
    await sleep(lookAgainMs);
    if (!(await turn.beat())) loss.abort(turnLost(store, station));
  };
  // A beat that fails is a share that is away, and the capture itself notices that.
  const timer = setInterval(() => void beat().catch(() => {}), beatEveryMs);
  timer.unref();
  return {
    lost: loss.signal,
    async assertHeld() {
      await beat().catch(() => {});
      loss.signal.throwIfAborted();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await turn.release().catch((error: unknown) => {
        const reasons = errorChain(error).join(': ');
        onLeft?.(
          `the turn in ${store} could not be ended; it ends by itself in ${silenceSeconds} s (${reasons})`,
        );
      });
    },
  };
}

function turnLost(store: string, station: string): RekindleError {
  return new RekindleError(
    'store-unreachable',
    `Capturing ${station} into ${store}: its turn is another capture's now, because the store saw no sign of life of this one for ${silenceSeconds} s`,
    {
      next: 'Check the connection to the store, then start the capture again: what is stored is reused. There is no new image.',
    },
  );
}
