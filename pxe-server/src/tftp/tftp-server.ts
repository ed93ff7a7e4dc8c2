import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { defaultLimits, type NegotiationLimits, negotiate } from './negotiation.ts';
import { errorCode, formatError, parseClientPacket, type Request } from './packet.ts';
import { findServedFile, openServedFile, type ServedFile, type ServedFiles } from './served-file.ts';
import type { TftpEvent } from './tftp-event.ts';
import { openOwnPort, type Peer, sameAddress, sharePort, tellStranger } from './transfer-port.ts';
import { startRun, type TransferRun } from './transfer-run.ts';
import { keepVigil } from './vigil.ts';

export interface TftpServer {
  /** The port in use; differs from the one asked for when that was 0. */
  readonly port: number;
  /**
   * Takes no more requests, and waits for running transfers; those that go on after `graceMs` (0) are ended, and their
   * clients told.
   */
  close(graceMs?: number): Promise<void>;
}

export interface TftpServerOptions {
  /** One of our own addresses: transfers leave from it too. */
  readonly address: string;
  readonly port: number;
  /** The only names there are; no name is ever looked up in a file system. */
  readonly files: ServedFiles;
  readonly onEvent: (event: TftpEvent) => void;
  readonly limits?: NegotiationLimits;
  readonly maximumTransfers?: number;
  /** Transfers leave from `port` too instead of each from a free one: for firewalls that know no TFTP. */
  readonly singlePort?: boolean;
}

interface RunningTransfer {
  readonly fileName: string;
  /** Its reason is what the log says; `restarted` when the client must not hear of it. */
  readonly stopping: AbortController;
  /** The datagram that asked for it. */
  readonly request: Uint8Array;
  run?: TransferRun;
  ended: Promise<void>;
}

/** No client repeats its request sooner; one that does after a longer silence has begun anew. */
const beganAnewAfterMs = 1000;

/**
 * An impatient client asks again before the first answer, which the transfer repeats by itself, and a network may double
 * or delay a request until the transfer is under way: ending that for a copy would end it for good.
 */
function isCopy({ request, run }: RunningTransfer, bytes: Uint8Array): boolean {
  if (Buffer.compare(request, bytes) !== 0) return false;
  const progressAt = run?.progressAt();
  return progressAt === undefined || performance.now() - progressAt < beganAnewAfterMs;
}

const restarted = new Error('the client asked for another transfer');

/** Read-only TFTP (RFC 1350, 2347, 2348, 2349, 7440). Throws `usage` when the port cannot be bound. */
export async function startTftpServer(options: TftpServerOptions): Promise<TftpServer> {
  const {
    address,
    files,
    onEvent,
    limits = defaultLimits,
    maximumTransfers = 1000,
    singlePort = false,
  } = options;
  const transfers = new Map<string, RunningTransfer>();
  let isIdle = true;
  let isClosing = false;
  const vigil = keepVigil(() => isIdle && transfers.size === 1);
  const socket = await listen(address, options.port);

  const refuse = (peer: Peer, fileName: string, code: number, reason: string) => {
    tellStranger(socket, formatError(code, reason), peer);
    onEvent({ event: 'refused', client: nameOf(peer), fileName, reason });
  };

  /** Whoever asks hears at once that what he asks for cannot be had now; silence would cost him half a minute. */
  const find = (peer: Peer, fileName: string, mode: 'octet' | 'netascii') => {
    try {
      return findServedFile(files, fileName, mode);
    } catch (error) {
      refuse(peer, fileName, errorCode.notDefined, 'The server cannot answer this now');
      throw error;
    }
  };

  const serve = async (peer: Peer, request: Request, file: ServedFile, running: RunningTransfer) => {
    const startedAt = performance.now();
    const { fileName } = request;
    const mode = request.mode === 'netascii' ? 'netascii' : 'octet';
    await using opened = await openServedFile(file, mode).catch((error: unknown) => {
      refuse(peer, fileName, errorCode.notDefined, 'The server cannot read this file now');
      throw error;
    });
    const { signal } = running.stopping;
    const receive = (bytes: Uint8Array) => {
      vigil.heard();
      running.run?.receive(bytes);
    };
    const broken = (error: Error) => running.run?.stop(error);
    using port = singlePort ? sharePort(socket, peer) : await openOwnPort(address, peer, receive, broken);
    signal.throwIfAborted();
    const run = startRun({
      reader: opened,
      parameters: negotiate(request.options, opened.size, limits),
      send: (bytes, sent) => {
        port.send(bytes, sent);
        vigil.spoke();
      },
    });
    running.run = run;
    signal.addEventListener('abort', () => {
      const isRestarted = signal.reason === restarted;
      run.stop(signal.reason, isRestarted ? undefined : 'The server could not go on with this transfer');
    });
    const outcome = await run.outcome;
    const milliseconds = Math.round(performance.now() - startedAt);
    const what = file.what === undefined ? {} : { what: file.what };
    const bytes = opened.size;
    onEvent({ event: 'finished', client: nameOf(peer), fileName, ...what, outcome, bytes, milliseconds });
  };

  const begin = (peer: Peer, bytes: Uint8Array, request: Request, file: ServedFile) => {
    const client = nameOf(peer);
    const { fileName } = request;
    const running: RunningTransfer = {
      fileName,
      stopping: new AbortController(),
      request: bytes,
      ended: Promise.resolve(),
    };
    transfers.set(client, running);
    // Where other programs wait for a core, whoever stays awake gets his turn later.
    isIdle = (loadavg()[0] ?? 0) < availableParallelism();
    running.ended = serve(peer, request, file, running)
      .catch((error: unknown) => {
        if (running.stopping.signal.aborted) return;
        onEvent({ event: 'failed', doing: `sending ${fileName} to ${client}`, error });
      })
      .finally(() => {
        if (transfers.get(client) === running) transfers.delete(client);
      });
  };

  const handle = (bytes: Uint8Array, peer: Peer) => {
    const client = nameOf(peer);
    if (peer.port === 0) {
      return onEvent({ event: 'ignored', client, reason: 'it comes from port 0, where no answer can go' });
    }
    const request = parseClientPacket(bytes);
    if (request.kind === 'malformed') return onEvent({ event: 'ignored', client, reason: request.reason });
    if (request.kind === 'ack' || request.kind === 'error') {
      const run = singlePort ? transfers.get(client)?.run : undefined;
      if (run !== undefined) {
        vigil.heard();
        return run.receive(bytes);
      }
      return onEvent({ event: 'ignored', client, reason: `${request.kind} outside of a transfer` });
    }
    const { fileName, mode } = request;
    if (isClosing) return onEvent({ event: 'ignored', client, reason: 'the TFTP server is stopping' });
    if (request.kind === 'wrq') {
      return refuse(peer, fileName, errorCode.accessViolation, 'This server only reads');
    }
    if (mode !== 'octet' && mode !== 'netascii') {
      return refuse(peer, fileName, errorCode.illegalOperation, 'Only octet and netascii are served');
    }
    const file = find(peer, fileName, mode);
    if (file === undefined) return refuse(peer, fileName, errorCode.fileNotFound, 'No such file');
    if (file === 'too-large') {
      return refuse(peer, fileName, errorCode.notDefined, 'Too large for netascii; ask for octet');
    }

    const running = transfers.get(client);
    if (running !== undefined && isCopy(running, bytes)) {
      return onEvent({ event: 'ignored', client, reason: 'a repeated request' });
    }
    if (running === undefined && transfers.size >= maximumTransfers) {
      return refuse(peer, fileName, errorCode.notDefined, 'Too many transfers; try again');
    }
    // The client started again from the same port without a word.
    running?.stopping.abort(restarted);
    begin(peer, bytes, request, file);
  };

  socket.on('message', (bytes, from) => {
    try {
      handle(bytes, from);
    } catch (error) {
      onEvent({ event: 'failed', doing: `answering a datagram from ${nameOf(from)}`, error });
    }
  });
  socket.on('error', (error) => onEvent({ event: 'failed', doing: `receiving on ${address}`, error }));
  const { port } = socket.address();
  onEvent({ event: 'listening', address, port });
  return {
    port,
    async close(graceMs = 0) {
      isClosing = true;
      const running = Array.from(transfers.values());
      const allEnded = Promise.all(running.map(({ ended }) => ended));
      const grace = new AbortController();
      await Promise.race([allEnded, sleep(graceMs, undefined, grace)]);
      grace.abort();
      for (const { stopping } of running) stopping.abort(new Error('the TFTP server is stopping'));
      await allEnded;
      await new Promise<void>((done) => socket.close(done));
    },
  };
}

async function listen(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: sameAddress });
  try {
    // Without a lookup that waits, it listens before `bind` returns.
    const listening = once(socket, 'listening');
    socket.bind({ address, port, exclusive: true });
    await listening;
    // Hundreds of requests may come at once, e.g. after a power cut.
    socket.setRecvBufferSize(1 << 20);
    return socket;
  } catch (cause) {
    socket.close();
    throw new RekindleError('usage', `The TFTP server cannot use UDP port ${port} of ${address}`, {
      cause,
      next: 'Stop the other TFTP service of this computer (`ss -ulpn` names it), or start this one as root.',
    });
  }
}

function nameOf({ address, port }: Peer): string {
  return `${address}:${port}`;
}
