/**
 * Sends mutated datagrams to 10.77.0.1 by a seed, as a process inside a namespace. Argument: {protocol, seed};
 * reads {allowed} lines: how many it may have sent by now, so that the receiver's buffer never runs over. Prints {sent}.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import {
  httpBootOptions,
  ipxeBiosDiscover,
  ovmfDiscover,
  request,
  uefiOptions,
} from '#test/support/dhcp-datagrams.ts';
import { mutate, seededRandom } from '#test/support/random.ts';
import { openRawSender } from '#test/support/raw-datagrams.ts';

const { protocol, seed } = JSON.parse(process.argv[2] ?? '') as {
  protocol: 'dhcp' | 'tftp';
  seed: number;
};
const random = seededRandom(seed);
const text = (...parts: string[]) => Buffer.from(parts.join('\0'), 'latin1');
const patterns =
  protocol === 'dhcp'
    ? [
        ipxeBiosDiscover,
        ovmfDiscover,
        request({ type: 3, options: [[54, '10.77.0.1'], [50, '10.77.0.100'], ...uefiOptions] }),
        request({ type: 1, giaddr: '10.88.0.1', options: [[82, [1, 2, 0, 7]], ...httpBootOptions] }),
        request({ type: 4, options: [[50, '10.77.0.100']] }),
        request({ type: 7, ciaddr: '10.77.0.100' }),
        request({ type: 8, ciaddr: '10.77.0.100' }),
      ]
    : [
        text('\0\x01loader', 'octet', 'blksize', '1468', 'windowsize', '4', 'tsize', '0', ''),
        text('\0\x01loader', 'netascii', ''),
        text('\0\x02loader', 'octet', ''),
        text('\0\x01../../etc/passwd', 'octet', ''),
        Buffer.from([0, 4, 0, 1]),
        Buffer.from([0, 5, 0, 8, 0x78, 0]),
        Buffer.from([0, 3, 0, 1, 1, 2, 3]),
        Buffer.from([0, 6]),
      ];
const ports = protocol === 'dhcp' ? [67, 4011] : [69];
const socket = createSocket('udp4');
socket.bind(0, '10.77.0.9');
await once(socket, 'listening');
/** Ports of transfers that began: they get damaged packets too. */
let transfers: number[] = [];
socket.on('message', (_bytes, from) => {
  if (protocol === 'tftp' && from.port !== 69) transfers = [...transfers.slice(-20), from.port];
});

/** Where no answer can go, and Node throws at whoever tries. */
const fromPortZero = 0.02;
using raw = openRawSender();

let sent = 0;
const report = () => process.stdout.write(`${JSON.stringify({ sent })}\n`);
report();
for await (const line of createInterface({ input: process.stdin })) {
  const { allowed } = JSON.parse(line) as { allowed: number };
  for (; sent < allowed; sent++) {
    const port =
      (random() < 0.3 ? transfers[Math.floor(random() * transfers.length)] : undefined) ??
      ports[sent % ports.length];
    const datagram = mutate(patterns[Math.floor(random() * patterns.length)] ?? Buffer.alloc(1), random);
    const to = { address: '10.77.0.1', port: port ?? 69 };
    if (random() < fromPortZero) await raw.send(datagram, { address: '10.77.0.9', port: 0 }, to);
    else await new Promise((done) => socket.send(datagram, to.port, to.address, done));
  }
  report();
}
process.exit(0);
