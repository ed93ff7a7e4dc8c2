import type { TransferParameters } from './negotiation.ts';
import type { ClientPacket } from './packet.ts';
import { backedOff, initialRoundTrip, longest, measured, type RoundTrip } from './round-trip.ts';

/**
 * One read transfer as a state machine without sockets, clocks or files. Blocks are counted from 1 without
 * wrapping; the wire carries 16 bits, and 65535 is followed by 0 (RFC 1350 leaves it open; every firmware and
 * loader that reads more does it so). Times are milliseconds of one clock.
 */
export interface TransferState {
  readonly parameters: TransferParameters;
  readonly lastBlock: number;
  readonly phase: 'oack' | 'data';
  /** Every block up to here has arrived. */
  readonly acknowledged: number;
  /** Every block up to here has been sent at least once since `acknowledged`. */
  readonly sent: number;
  readonly roundTrip: RoundTrip;
  readonly sentAt: number;
  /** The window was sent more than once: its answer measures nothing and a repeated ACK asks for nothing. */
  readonly repeated: boolean;
  /** The window before was sent more than once: the client has copies of it, and may say so by an ACK for each. */
  readonly copiesExpected: boolean;
  /** Time-outs since the client last got on. */
  readonly timeouts: number;
  /**
   * A lock-step client that does not acknowledge a block again that it has (busybox, atftp): seen when it answered the
   * block behind a repeated one.
   */
  readonly ignoresRepeats: boolean;
  /** When to send again. */
  readonly timerAt: number;
  /** When the client last got on. */
  readonly progressAt: number;
}

export type TransferInput =
  | { readonly kind: 'packet'; readonly packet: ClientPacket; readonly now: number }
  | { readonly kind: 'tick'; readonly now: number };

/** What to send: the OACK, or the blocks from `first` to `last`. */
export type Sending =
  | { readonly kind: 'oack' }
  | { readonly kind: 'blocks'; readonly first: number; readonly last: number };

export type Outcome =
  | { readonly kind: 'done' }
  /** All was sent, the last acknowledgement never came: most likely the client is done and gone. */
  | { readonly kind: 'unconfirmed' }
  /** The client only asked for sizes and said so by an error in answer to the OACK, as OVMF does. */
  | { readonly kind: 'probed' }
  | { readonly kind: 'aborted'; readonly code: number; readonly message: string }
  | { readonly kind: 'timed-out'; readonly acknowledged: number };

export interface TransferStep {
  readonly state: TransferState;
  readonly send?: Sending;
  readonly outcome?: Outcome;
}

/** Without any progress for this long, and no sooner than seven sendings, a transfer has failed. */
export const patienceMs = 30_000;
/** Time-outs in a row after which a lock-step client counts as stuck. */
const stuckAfter = 3;
/** The last window is repeated this long; the client may be gone because it has everything. */
const lastWindowPatienceMs = 5_000;

export function startTransfer(parameters: TransferParameters, fileSize: number, now: number): TransferStep {
  const base: TransferState = {
    parameters,
    // A file that fills its last block exactly is followed by an empty one (RFC 1350 section 6).
    lastBlock: Math.floor(fileSize / parameters.blockSize) + 1,
    phase: 'oack',
    acknowledged: 0,
    sent: 0,
    roundTrip: initialRoundTrip,
    sentAt: now,
    repeated: false,
    copiesExpected: false,
    timeouts: 0,
    ignoresRepeats: false,
    timerAt: now + initialRoundTrip.timeout,
    progressAt: now,
  };
  if (parameters.accepted.size > 0) return { state: base, send: { kind: 'oack' } };
  return sendWindow({ ...base, phase: 'data' }, now, { repeated: false });
}

export function stepTransfer(state: TransferState, input: TransferInput): TransferStep {
  if (input.kind === 'tick') return stepTick(state, input.now);
  const { packet, now } = input;
  switch (packet.kind) {
    case 'ack':
      return stepAck(state, packet.block, now);
    case 'error':
      return { state, outcome: stepError(state, packet.code, packet.message) };
    default:
      return { state };
  }
}

function stepTick(state: TransferState, now: number): TransferStep {
  if (now < state.timerAt) return { state };
  const { windowSize } = state.parameters;
  const isLastWindow = state.phase === 'data' && state.acknowledged + windowSize >= state.lastBlock;
  const patience = isLastWindow ? lastWindowPatienceMs : patienceMs;
  if (now - state.progressAt >= patience) {
    const { acknowledged } = state;
    return {
      state,
      outcome: isLastWindow ? { kind: 'unconfirmed' } : { kind: 'timed-out', acknowledged },
    };
  }
  const limit = Math.min(longest, (state.parameters.timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1000);
  const waiting = {
    ...state,
    roundTrip: backedOff(state.roundTrip, limit),
    timeouts: state.timeouts + 1,
  };
  // It may be the acknowledgement that was lost, and some clients (atftp) do not answer blocks that they have: with
  // the next window behind the repeated one they get something that they do answer. In lock-step that is unusual
  // enough to be left for a client that is really stuck.
  const isStuck = waiting.timeouts >= (windowSize > 1 || state.ignoresRepeats ? 1 : stuckAfter);
  if (state.phase === 'data') return sendWindow(waiting, now, { repeated: true, windows: isStuck ? 2 : 1 });
  return {
    state: { ...waiting, repeated: true, sentAt: now, timerAt: now + waiting.roundTrip.timeout },
    send: { kind: 'oack' },
  };
}

function stepAck(state: TransferState, block: number, now: number): TransferStep {
  if (state.phase === 'oack') {
    if (block !== 0) return { state };
    return sendWindow({ ...measure(state, now), phase: 'data', timeouts: 0, progressAt: now }, now, {
      repeated: false,
    });
  }
  const ahead = (block - state.acknowledged) & 0xffff;
  const acknowledged = state.acknowledged + ahead;
  if (ahead === 0) return stepRepeatedAck(state, now);
  // Older than the window: a late copy. Answering it would double every later packet (RFC 1123 section 4.2.3.1).
  if (acknowledged > state.sent) return { state };
  if (acknowledged === state.lastBlock) {
    return { state: { ...state, acknowledged }, outcome: { kind: 'done' } };
  }
  const ignoresRepeats = state.ignoresRepeats || (state.parameters.windowSize === 1 && ahead === 2);
  const next = {
    ...measure(state, now),
    acknowledged,
    copiesExpected: state.repeated,
    timeouts: 0,
    ignoresRepeats,
    progressAt: now,
  };
  return sendWindow(next, now, { repeated: false });
}

/**
 * An ACK of the block before the window. In lock-step it is a copy and gets no answer. With a larger window it
 * may say that the window's first block was lost (RFC 7440 section 4); it counts once a window, and only when it
 * is old enough to be an answer to the window. Behind a window that was repeated it is the answer to the copy (atftp
 * sends one for each): taken for a loss, it would make the next copy, and so on to the end of the file.
 */
function stepRepeatedAck(state: TransferState, now: number): TransferStep {
  const isAnswer = now - state.sentAt >= state.roundTrip.smoothed / 2;
  const isCopy = state.repeated || state.copiesExpected;
  if (state.parameters.windowSize === 1 || isCopy || !isAnswer) return { state };
  return sendWindow(state, now, { repeated: true });
}

function stepError(state: TransferState, code: number, message: string): Outcome {
  return state.phase === 'oack' ? { kind: 'probed' } : { kind: 'aborted', code, message };
}

function sendWindow(
  state: TransferState,
  now: number,
  { repeated, windows = 1 }: { repeated: boolean; windows?: number },
): TransferStep {
  const first = state.acknowledged + 1;
  const last = Math.min(state.acknowledged + windows * state.parameters.windowSize, state.lastBlock);
  return {
    state: { ...state, sent: last, sentAt: now, repeated, timerAt: now + state.roundTrip.timeout },
    send: { kind: 'blocks', first, last },
  };
}

function measure(state: TransferState, now: number): TransferState {
  if (state.repeated) return state;
  return { ...state, roundTrip: measured(state.roundTrip, now - state.sentAt) };
}
