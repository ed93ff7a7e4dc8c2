import type { ByteReader } from './byte-reader.ts';
import type { ExportDevice, Piece } from './export-device.ts';
import { type Agreement, contextId, largestRead } from './nbd-handshake.ts';
import * as nbd from './nbd-protocol.ts';

/** Bytes that may be asked for and not yet answered, on one connection: what bounds its memory. */
const bytesInFlight = 2 * largestRead;
const requestsInFlight = 64;
/** A write is refused; its data have to be read past, but not for ever. */
const refusedWriteLimit = 64 << 20;
const extentLimit = 8192;

const { allocation, command, commandFlag, nbdError } = nbd;

export interface ReplySocket {
  write(bytes: Uint8Array): void;
  /** Resolves when what was written has left, or the client is gone. */
  drained(): Promise<void>;
}

/**
 * Answers requests until the client disconnects. Replies come in the order in which the device is ready.
 * @returns why the connection has to be cut, when the client said what no client says
 */
export async function answerRequests(
  reader: ByteReader,
  socket: ReplySocket,
  device: ExportDevice,
  agreement: Agreement,
): Promise<string | undefined> {
  const gate = createGate();
  const running = new Set<Promise<void>>();
  for (;;) {
    const head = await reader.read(nbd.requestBytes);
    if (head === null) break;
    const request = nbd.parseRequest(head);
    if (request === null) return 'a request does not begin as one';
    if (request.command === command.disconnect) break;
    if (request.command === command.write) {
      if (request.length > refusedWriteLimit) return `a write of ${request.length} bytes`;
      if (!(await reader.skip(request.length))) break;
    }
    const reads = request.command === command.read && request.length <= largestRead;
    const leave = await gate.enter(reads ? request.length : 0);
    const task = answer(request, socket, device, agreement)
      .then(() => socket.drained())
      .finally(() => {
        leave();
        running.delete(task);
      });
    running.add(task);
  }
  await Promise.all(running);
  return undefined;
}

async function answer(
  request: nbd.NbdRequest,
  socket: ReplySocket,
  device: ExportDevice,
  agreement: Agreement,
): Promise<void> {
  const { cookie } = request;
  const refuse = (error: number, message: string): void =>
    socket.write(
      agreement.structuredReplies
        ? nbd.formatErrorChunk(cookie, error, message)
        : nbd.formatSimpleReply(cookie, error),
    );
  const inside = request.offset + request.length <= device.sizeBytes;
  switch (request.command) {
    case command.read: {
      const allowed = agreement.structuredReplies ? commandFlag.df : 0;
      if ((request.flags & ~allowed) !== 0) return refuse(nbdError.EINVAL, 'this flag is not offered');
      if (!inside) return refuse(nbdError.EINVAL, `the disk ends at byte ${device.sizeBytes}`);
      if (request.length > largestRead)
        return refuse(nbdError.EOVERFLOW, `at most ${largestRead} bytes at once`);
      let pieces: Piece[];
      try {
        pieces = await device.read(request.offset, request.length);
      } catch (error) {
        return refuse(nbdError.EIO, error instanceof Error ? error.message : String(error));
      }
      if (!agreement.structuredReplies) {
        socket.write(nbd.formatSimpleReply(cookie, 0));
        return writePlain(socket, pieces);
      }
      if ((request.flags & commandFlag.df) !== 0 && request.length > 0) {
        socket.write(nbd.formatDataChunk(cookie, request.offset, request.length));
        writePlain(socket, pieces);
      } else writeChunks(socket, cookie, request.offset, pieces);
      return socket.write(nbd.formatDoneChunk(cookie));
    }
    case command.blockStatus: {
      if (!agreement.blockStatus)
        return refuse(nbdError.EINVAL, 'base:allocation was not asked for in the handshake');
      if ((request.flags & ~commandFlag.requestOne) !== 0)
        return refuse(nbdError.EINVAL, 'this flag is not offered');
      if (!inside || request.length === 0)
        return refuse(nbdError.EINVAL, `the disk ends at byte ${device.sizeBytes}`);
      const limit = (request.flags & commandFlag.requestOne) === 0 ? extentLimit : 1;
      const extents = device
        .extents(request.offset, request.length)
        .slice(0, limit)
        .map(({ kind, sizeBytes }) => ({
          sizeBytes,
          flags: kind === 'data' ? allocation.data : allocation.holeOfZeros,
        }));
      return socket.write(nbd.formatBlockStatusChunk(cookie, contextId, extents));
    }
    case command.write:
      return refuse(nbdError.EPERM, 'the disk is read-only');
    default:
      return refuse(nbdError.EINVAL, `command ${request.command} is not offered`);
  }
}

const zeros = Buffer.alloc(1 << 20);

function writePlain(socket: ReplySocket, pieces: readonly Piece[]): void {
  for (const piece of pieces) {
    if (piece.kind === 'data') socket.write(piece.bytes);
    else
      for (let left = piece.sizeBytes; left > 0; left -= zeros.length)
        socket.write(zeros.subarray(0, Math.min(left, zeros.length)));
  }
}

function writeChunks(socket: ReplySocket, cookie: bigint, offset: number, pieces: readonly Piece[]): void {
  let at = offset;
  for (const piece of pieces) {
    if (piece.kind === 'data') {
      socket.write(nbd.formatDataChunk(cookie, at, piece.bytes.length));
      socket.write(piece.bytes);
      at += piece.bytes.length;
    } else {
      socket.write(nbd.formatHoleChunk(cookie, at, piece.sizeBytes));
      at += piece.sizeBytes;
    }
  }
}

/** Lets requests in one after another, as many as there is room for. */
function createGate(): { enter(bytes: number): Promise<() => void> } {
  let bytes = 0;
  let requests = 0;
  let wake: (() => void) | undefined;
  return {
    async enter(wanted) {
      while (requests >= requestsInFlight || (requests > 0 && bytes + wanted > bytesInFlight))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      bytes += wanted;
      requests += 1;
      return () => {
        bytes -= wanted;
        requests -= 1;
        wake?.();
      };
    },
  };
}
