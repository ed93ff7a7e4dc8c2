/**
 * As many exchanges of DISCOVER, OFFER, REQUEST and ACK as the server at 10.77.0.1 manages, 32 of them at any time,
 * from a relay at 10.77.0.9 (so that nobody probes addresses). Argument: {macs, seconds}. Prints {exchanges, wrong}.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { addressOf, optionsOf, request } from '#test/support/dhcp-datagrams.ts';

const { macs, seconds } = JSON.parse(process.argv[2] ?? '') as { macs: string[]; seconds: number };
const atOnce = 32;
const relay = '10.77.0.9';
const socket = createSocket('udp4');
socket.bind(67, relay);
await once(socket, 'listening');

/** By transaction: whose it is, and when its last packet was sent. */
const open = new Map<number, { readonly mac: string; at: number; bytes: Buffer }>();
let [next, exchanges, wrong] = [0, 0, 0];
const send = (
  xid: number,
  mac: string,
  type: number,
  options: Parameters<typeof request>[0]['options'] = [],
) => {
  const bytes = request({ type, xid, mac, giaddr: relay, options });
  open.set(xid, { mac, at: performance.now(), bytes });
  socket.send(bytes, 67, '10.77.0.1');
};
const begin = () => {
  const mac = macs[next % macs.length] ?? '';
  send(++next, mac, 1);
};
const startedAt = performance.now();
socket.on('message', (reply) => {
  const xid = reply.readUInt32BE(4);
  const exchange = open.get(xid);
  const [type] = optionsOf(reply).get(53) ?? [];
  if (exchange === undefined) return;
  if (type === 2)
    return send(xid, exchange.mac, 3, [
      [54, '10.77.0.1'],
      [50, addressOf(reply, 16)],
    ]);
  open.delete(xid);
  if (type === 5) exchanges++;
  else wrong++;
  begin();
});
for (let number = 0; number < atOnce; number++) begin();
// What is lost is sent again, as a client would.
const again = setInterval(() => {
  for (const exchange of open.values()) {
    if (performance.now() - exchange.at < 500) continue;
    exchange.at = performance.now();
    socket.send(exchange.bytes, 67, '10.77.0.1');
  }
}, 100);
setTimeout(() => {
  clearInterval(again);
  const taken = (performance.now() - startedAt) / 1000;
  process.stdout.write(`${JSON.stringify({ exchanges: exchanges / taken, wrong })}\n`, () => process.exit(0));
}, seconds * 1000);
