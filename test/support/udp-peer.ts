/**
 * A UDP client as a process inside a namespace, for packets built by hand. Argument: {ports, address}; every port
 * is bound twice, to all addresses (to hear broadcasts) and to `address` (to send from it). Prints
 * {port, from, hex} for every datagram; reads {port, to, toPort, hex} lines and sends them.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface PeerDatagram {
  readonly port: number;
  readonly from: string;
  readonly hex: string;
}

const { ports, address }: { ports: number[]; address: string } = JSON.parse(process.argv[2] ?? '');
const senders = new Map<number, Socket>();

for (const port of ports) {
  for (const bound of ['0.0.0.0', address]) {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.on('message', (bytes, from) => {
      const datagram: PeerDatagram = {
        port,
        from: `${from.address}:${from.port}`,
        hex: bytes.toString('hex'),
      };
      process.stdout.write(`${JSON.stringify(datagram)}\n`);
    });
    socket.bind({ address: bound, port });
    await once(socket, 'listening');
    socket.setBroadcast(true);
    senders.set(port, socket);
  }
}
process.stdout.write(`${JSON.stringify({ port: 0, from: 'ready', hex: '' })}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const { port, to, toPort, hex } = JSON.parse(line) as {
    port: number;
    to: string;
    toPort: number;
    hex: string;
  };
  senders.get(port)?.send(Buffer.from(hex, 'hex'), toPort, to);
}
process.exit(0);
