import { createSocket, type Socket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
import { errorCode, formatError } from './packet.ts';
import type { SendPacket } from './transfer-run.ts';

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Where a transfer sends from; its number is the server's transfer id (RFC 1350 section 4). */
export interface TransferPort extends Disposable {
  readonly send: SendPacket;
}

/** Peers are addresses already; without this, Node puts a turn of the event loop before each packet. */
export const sameAddress: NonNullable<SocketOptions['lookup']> = (address, _options, callback) =>
  callback(null, address, 4);

/** Answers to strangers that the kernel has no room for. */
const waitingMost = 64;

/** An answer to somebody who has no transfer here: whether it leaves or not is no business of a transfer. */
export function tellStranger(socket: Socket, bytes: Uint8Array, { port, address }: Peer): void {
  // UDP allows 0 as a sender's port and Node throws: whoever sends from there wants no answer (RFC 768).
  if (port === 0) return;
  // They wait for the ARP of machines that are not there; who gets no answer asks again.
  if (socket.getSendQueueCount() >= waitingMost) return;
  // By Node's manual, a failed sending without a callback is an `error` of the socket, which would end the transfer.
  socket.send(bytes, port, address, () => undefined);
}

/** A free port for this transfer alone. Who else sends there is told so, and the transfer goes on. */
export async function openOwnPort(
  localAddress: string,
  peer: Peer,
  onMessage: (bytes: Uint8Array) => void,
  onError: (error: Error) => void,
): Promise<TransferPort> {
  const socket = createSocket({ type: 'udp4', lookup: sameAddress });
  socket.on('error', onError);
  socket.on('message', (bytes, from) => {
    if (from.port === peer.port && from.address === peer.address) return onMessage(bytes);
    const reason = formatError(errorCode.unknownTransfer, 'This transfer belongs to another client');
    tellStranger(socket, reason, from);
  });
  // Without a lookup that waits, it listens before `bind` returns.
  const listening = once(socket, 'listening');
  socket.bind({ address: localAddress, port: 0, exclusive: true });
  await listening;
  return { send: sendTo(socket, peer), [Symbol.dispose]: () => void socket.close() };
}

/** The server's own port, for networks that let nothing else through; whoever receives there knows whose it is. */
export function sharePort(socket: Socket, peer: Peer): TransferPort {
  return { send: sendTo(socket, peer), [Symbol.dispose]: () => undefined };
}

function sendTo(socket: Socket, { port, address }: Peer): SendPacket {
  return (bytes, sent) => socket.send(bytes, port, address, sent);
}
