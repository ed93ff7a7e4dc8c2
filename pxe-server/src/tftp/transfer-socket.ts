import { createSocket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
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
  type Sending,
  startTransfer,
  stepTransfer,
  type TransferInput,
  type TransferStep,
} from './transfer.ts';

export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface TransferOptions {
  /** Our address that the client talked to; the transfer's port is any free one (its TID). */
  readonly localAddress: string;
  readonly peer: Peer;
  readonly reader: FileReader;
  readonly parameters: TransferParameters;
  /** Ends the transfer without an outcome. */
  readonly signal: AbortSignal;
  /** The client has answered: from now on a repeated request means that it started again. */
  readonly onProgress: () => void;
}

/** Peers are addresses already; without this, Node puts a turn of the event loop before each packet. */
const sameAddress: NonNullable<SocketOptions['lookup']> = (address, _options, callback) =>
  callback(null, address, 4);

/**
 * Runs the state machine of one transfer on a socket of its own until it has an outcome. Throws when reading the
 * file fails or nothing could be sent, after telling the client; throws the signal's reason when aborted.
 */
export async function runTransfer(options: TransferOptions): Promise<Outcome> {
  const { localAddress, peer, reader, parameters, signal, onProgress } = options;
  const socket = createSocket({ type: 'udp4', lookup: sameAddress });
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const inbox: TransferInput[] = [];
  const startedAt = performance.now();
  let state: TransferStep['state'];
  let isRunning = true;
  let timer: { readonly handle: NodeJS.Timeout; readonly at: number } | undefined;
  // A packet that could not be sent is as good as lost on the way; it counts only when nothing gets through.
  let sendError: Error | undefined;

  const transmit = (bytes: Uint8Array, to: Peer) =>
    socket.send(bytes, to.port, to.address, (error) => {
      if (error !== null) sendError = error;
    });
  const send = async (sending: Sending) => {
    if (sending.kind === 'oack') return transmit(formatOptionAcknowledgement(parameters.accepted), peer);
    for (let block = sending.first; block <= sending.last; block++) {
      const bytes = reader.read((block - 1) * parameters.blockSize, parameters.blockSize);
      transmit(formatData(block, bytes instanceof Promise ? await bytes : bytes), peer);
    }
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
  const apply = async (step: TransferStep) => {
    state = step.state;
    if (state.progressAt > startedAt) onProgress();
    if (step.send !== undefined) await send(step.send);
    if (step.outcome === undefined) arm();
    else if (step.outcome.kind === 'timed-out' && sendError !== undefined) reject(sendError);
    else resolve(step.outcome);
  };
  // Inputs that arrive while a block is read from disk wait their turn.
  const drain = async () => {
    isRunning = true;
    for (let input = inbox.shift(); input !== undefined; input = inbox.shift()) {
      await apply(stepTransfer(state, input));
    }
    isRunning = false;
  };
  const take = (input: TransferInput) => {
    inbox.push(input);
    if (!isRunning) drain().catch(reject);
  };

  socket.on('error', reject);
  socket.on('message', (bytes, from) => {
    if (from.port !== peer.port || from.address !== peer.address) {
      transmit(formatError(errorCode.unknownTransfer, 'This transfer belongs to another client'), from);
      return;
    }
    take({ kind: 'packet', packet: parseClientPacket(bytes), now: performance.now() });
  });
  const abort = () => reject(signal.reason);
  // It may be rejected before anybody waits for it.
  promise.catch(() => undefined);
  signal.addEventListener('abort', abort, { once: true });

  try {
    signal.throwIfAborted();
    // Without a lookup that waits, it listens before `bind` returns.
    const listening = once(socket, 'listening');
    socket.bind({ address: localAddress, port: 0, exclusive: true });
    await listening;
    await apply(startTransfer(parameters, reader.size, startedAt));
    await drain();
    return await promise;
  } catch (error) {
    await new Promise<void>((done) => {
      const farewell = formatError(errorCode.notDefined, 'The server could not go on with this transfer');
      socket.send(farewell, peer.port, peer.address, () => done());
    });
    throw error;
  } finally {
    clearTimeout(timer?.handle);
    signal.removeEventListener('abort', abort);
    socket.close();
  }
}
