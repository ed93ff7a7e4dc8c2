import type { TransferParameters } from './negotiation.ts';
import {
  errorCode,
  formatData,
  formatError,
  formatOptionAcknowledgement,
  parseClientPacket,
} from './packet.ts';
import type { FileReader } from './served-file.ts';
import {
  type Outcome,
  startTransfer,
  stepTransfer,
  type TransferInput,
  type TransferStep,
} from './transfer.ts';

/** Sends a packet to the client of a transfer; `sent` is told whether it left. */
export type SendPacket = (bytes: Uint8Array, sent?: (error: Error | null) => void) => void;

export interface TransferRunOptions {
  readonly reader: FileReader;
  readonly parameters: TransferParameters;
  readonly send: SendPacket;
}

/** One transfer while it runs: the state machine between its file and whoever owns its port. */
export interface TransferRun {
  /** A datagram of the client. */
  receive(bytes: Uint8Array): void;
  /** When the client last got on, by `performance.now()`; undefined: it has not answered yet. */
  progressAt(): number | undefined;
  /** Ends it without an outcome. @param farewell what the client is told; nothing when it has begun anew */
  stop(reason: Error, farewell?: string): void;
  /** Rejected when the file cannot be read or nothing could be sent, after the client was told, and by `stop`. */
  readonly outcome: Promise<Outcome>;
}

/** While a block is read from disk, packets wait; more than that of one client are a flood. */
const waitingMost = 64;

/**
 * From an acknowledgement to the next block nothing is awaited as long as the reader has its bytes at hand: in
 * lock-step that way is walked once for every block.
 */
export function startRun({ reader, parameters, send }: TransferRunOptions): TransferRun {
  const { promise: outcome, resolve, reject } = Promise.withResolvers<Outcome>();
  // It may be rejected before anybody waits for it.
  outcome.catch(() => undefined);
  const { blockSize } = parameters;
  const startedAt = performance.now();
  const waiting: TransferInput[] = [];
  let state: TransferStep['state'];
  let isReading = false;
  let isOver = false;
  let timer: { readonly handle: NodeJS.Timeout; readonly at: number } | undefined;
  // A packet that could not be sent is as good as lost on the way; it counts only when nothing gets through.
  let sendError: Error | undefined;

  const end = (settle: () => void) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer?.handle);
    settle();
  };
  const stop = (reason: Error, farewell?: string) =>
    end(() => {
      try {
        if (farewell !== undefined) send(formatError(errorCode.notDefined, farewell));
      } catch {
        // Its port is gone already; the reason is what counts.
      }
      reject(reason);
    });
  const fail = (error: unknown) => stop(error as Error, 'The server could not go on with this transfer');

  const hasProgress = () => state.progressAt > startedAt;
  const noteSent = (error: Error | null) => {
    if (error !== null) sendError = error;
  };
  // Asking whether a packet left costs a turn of the event loop; once a client answers, its answers tell.
  const transmit = (bytes: Uint8Array) =>
    send(bytes, state.timeouts > 0 || !hasProgress() ? noteSent : undefined);
  const sendBlocks = (first: number, last: number): Promise<void> | undefined => {
    for (let block = first; block <= last; block++) {
      const bytes = reader.read((block - 1) * blockSize, blockSize);
      if (bytes instanceof Promise) {
        return bytes.then((read) => {
          if (isOver) return;
          transmit(formatData(block, read));
          return sendBlocks(block + 1, last);
        });
      }
      transmit(formatData(block, bytes));
    }
    return undefined;
  };
  // Most packets move `timerAt` later: the timer stays, and an early tick sets it again.
  const arm = () => {
    if (timer !== undefined && timer.at <= state.timerAt) return;
    clearTimeout(timer?.handle);
    const tick = () => {
      timer = undefined;
      take({ kind: 'tick', now: performance.now() });
    };
    const wait = Math.max(1, state.timerAt - performance.now());
    timer = { handle: setTimeout(tick, wait), at: state.timerAt };
  };
  const settle = (ended: TransferStep['outcome']) => {
    if (ended === undefined) return arm();
    if (ended.kind === 'timed-out' && sendError !== undefined) return fail(sendError);
    end(() => resolve(ended));
  };
  const apply = (step: TransferStep) => {
    state = step.state;
    if (step.send === undefined) return settle(step.outcome);
    if (step.send.kind === 'oack') transmit(formatOptionAcknowledgement(parameters.accepted));
    const reading = step.send.kind === 'oack' ? undefined : sendBlocks(step.send.first, step.send.last);
    if (reading === undefined) return settle(step.outcome);
    isReading = true;
    reading
      .then(() => {
        isReading = false;
        if (isOver) return;
        settle(step.outcome);
        while (!isReading && !isOver && waiting.length > 0) {
          apply(stepTransfer(state, waiting.shift() as TransferInput));
        }
      })
      .catch(fail);
  };
  const take = (input: TransferInput) => {
    if (isOver) return;
    if (isReading) {
      if (waiting.length < waitingMost) waiting.push(input);
      return;
    }
    try {
      apply(stepTransfer(state, input));
    } catch (error) {
      fail(error);
    }
  };

  const first = startTransfer(parameters, reader.size, startedAt);
  state = first.state;
  try {
    apply(first);
  } catch (error) {
    fail(error);
  }
  return {
    receive: (bytes) => take({ kind: 'packet', packet: parseClientPacket(bytes), now: performance.now() }),
    progressAt: () => (hasProgress() ? state.progressAt : undefined),
    stop,
    outcome,
  };
}
