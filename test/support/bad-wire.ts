/**
 * A bad wire for TFTP as a process: clients talk to it at {address}:69 as if it were the server at {server}. In each
 * direction it loses, doubles and delays datagrams (a delayed one arrives behind those sent after it) by a seed, each
 * with the probability {share}. Prints {event: 'ready'}, and its counts when standard input ends.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { seededRandom } from './random.ts';

export interface BadWireArgument {
  readonly address: string;
  readonly server: string;
  readonly share: number;
  readonly seed: number;
}

export interface BadWireCounts {
  readonly event: 'ready' | 'counts';
  readonly carried: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
}

const { address, server, share, seed }: BadWireArgument = JSON.parse(process.argv[2] ?? '');
const random = seededRandom(seed);
const counts = { carried: 0, lost: 0, doubled: 0, reordered: 0 };
/** Longer than a round trip on this wire: the next datagrams overtake. */
const delayMs = 4;

function carry(bytes: Buffer, from: Socket, port: number, to: string): void {
  counts.carried++;
  const chance = random();
  if (chance < share) {
    counts.lost++;
    return;
  }
  const send = () => from.send(bytes, port, to);
  if (chance < 2 * share) {
    counts.doubled++;
    send();
  }
  if (chance >= 2 * share && chance < 3 * share) {
    counts.reordered++;
    setTimeout(send, delayMs);
    return;
  }
  send();
}

async function open(port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

/** By `address:port` of the client: what it is answered from, and what the server answers to. */
const transfers = new Map<string, { readonly near: Socket; readonly far: Socket; farPort: number }>();

const requests = await open(69);
requests.on('message', async (bytes, client) => {
  const key = `${client.address}:${client.port}`;
  let transfer = transfers.get(key);
  if (transfer === undefined) {
    const [near, far] = [await open(), await open()];
    const opened = { near, far, farPort: 69 };
    transfer = opened;
    transfers.set(key, opened);
    far.on('message', (answer, from) => {
      opened.farPort = from.port;
      carry(answer, near, client.port, client.address);
    });
    near.on('message', (answer) => carry(answer, far, opened.farPort, server));
  }
  carry(bytes, transfer.far, 69, server);
});
process.stdout.write(`${JSON.stringify({ event: 'ready', ...counts })}\n`);
process.stdin.resume().once('end', () => {
  process.stdout.write(`${JSON.stringify({ event: 'counts', ...counts })}\n`, () => process.exit(0));
});
