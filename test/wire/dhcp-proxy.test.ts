import { afterEach, beforeEach, expect, test } from 'vitest';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { judgeBoot } from '#pxe-server/journal/judge-boot.ts';
import { recordDhcpEvent } from '#pxe-server/serve/boot-events.ts';
import { createLog } from '#pxe-server/serve/log.ts';
import { openState } from '#pxe-server/site/state.ts';
import {
  addressOf,
  bootFileOf,
  httpBootOptions,
  ipxeBiosDiscover,
  type Options,
  optionsOf,
  request,
  uefiOptions,
} from '#test/support/dhcp-datagrams.ts';
import { type DhcpProcess, startDhcp } from '#test/support/dhcp-lan.ts';
import { type JsonLinesProcess, startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork, type Network } from '#test/support/network-namespace.ts';
import { mutate, seededRandom } from '#test/support/random.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

const ours = '10.77.0.1:67';
const foreign = '10.77.0.2:67';
const broken = '52:54:00:00:00:bd';
const stations = { '52:54:00:00:00:01': '10.77.0.21' };
let lan: Network<'server' | 'foreign' | 'client'>;
let server: DhcpProcess;
let peer: JsonLinesProcess<PeerDatagram>;

beforeEach(async () => {
  lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    foreign: { address: '10.77.0.2/24' },
    client: { address: '10.77.0.9/24', mac: '52:54:00:00:00:01' },
  });
  const dnsmasq = lan.members.foreign.spawn('dnsmasq', [
    ...['--no-daemon', '--port=0', '--conf-file=/dev/null', '--no-ping', '--dhcp-authoritative'],
    ...['--dhcp-range=10.77.0.50,10.77.0.60', '--dhcp-leasefile=/dev/null', '--user=root'],
  ]);
  await new Promise((resolve) => dnsmasq.stderr.once('data', resolve));
  server = await startDhcp(lan.members.server, { mode: 'proxy', stations, failsFor: broken });
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  peer = startJsonLines(lan.members.client, script, { ports: [68, 4011], address: '10.77.0.9' });
  await peer.waitFor(({ from }) => from === 'ready');
});
afterEach(() => lan[Symbol.asyncDispose]());

const broadcast = (bytes: Uint8Array, port = 68) =>
  peer.send({ port, to: '255.255.255.255', toPort: 67, hex: Buffer.from(bytes).toString('hex') });
const replyFrom = async (from: string, port = 68) => {
  const { hex } = await peer.waitFor((datagram) => datagram.from === from && datagram.port === port);
  return Buffer.from(hex, 'hex');
};
const discover = (options: Options, mac?: string) =>
  request({ type: 1, flags: 0x8000, options, ...(mac && { mac }) });

test('iPXE gets an address from the other server and its boot script from us', async () => {
  // With the broadcast flag, so that the peer, which does not take the offered address, hears both servers.
  const discoverOfRom = Buffer.from(ipxeBiosDiscover);
  discoverOfRom[10] = 0x80;
  broadcast(discoverOfRom);
  const [offer, other] = [await replyFrom(ours), await replyFrom(foreign)];
  expect(addressOf(offer, 16)).toBe('0.0.0.0');
  expect(bootFileOf(offer)).toBe('http://10.77.0.1:8080/boot/script.ipxe?mac=52:54:00:00:00:01');
  const options = optionsOf(offer);
  expect(Buffer.from(options.get(60) ?? []).toString()).toBe('PXEClient');
  expect(options.get(54)).toEqual([10, 77, 0, 1]);
  expect(options.get(175)).toEqual([176, 1, 1]);
  expect(options.has(51)).toBe(false);
  expect(addressOf(other, 16)).toMatch(/^10\.77\.0\.5\d$/);
});

test('pain 6: UEFI is sent to port 4011 and gets its loader there', async () => {
  broadcast(discover(uefiOptions));
  const offer = await replyFrom(ours);
  expect(optionsOf(offer).has(43)).toBe(false);
  const ask = request({ type: 3, ciaddr: '10.77.0.9', options: uefiOptions });
  peer.send({ port: 4011, to: '10.77.0.1', toPort: 4011, hex: ask.toString('hex') });
  const answer = await replyFrom('10.77.0.1:4011', 4011);
  expect(bootFileOf(answer)).toBe('snponly.efi');
  expect(addressOf(answer, 20)).toBe('10.77.0.1');
  expect(optionsOf(answer).get(53)).toEqual([5]);
});

test('pain 6: firmware that takes no offer without an address is told to whoever asks why it does not boot', async () => {
  // It hears our offer and sends nothing more.
  broadcast(discover(uefiOptions));
  await replyFrom(ours);
  const replied = await server.waitFor(({ event }) => event === 'replied');
  const journal = createJournal(openState(':memory:'), { keptBoots: 1 });
  recordDhcpEvent(journal, createLog('error'), replied);
  const boot = journal.boots('52:54:00:00:00:01').flat();
  const later = Date.now() + 61_000;
  expect(judgeBoot(boot, 'proxy', later)).toBe(
    'offer sent; no request followed: this firmware ignores split offers, or took no address from the other DHCP server. Use reservation mode (dhcp.mode in rekindle.yaml).',
  );
  expect(judgeBoot(boot, 'proxy')).toBeUndefined();
});

test('UEFI HTTP Boot gets a URL and is called HTTPClient', async () => {
  broadcast(discover(httpBootOptions));
  const offer = await replyFrom(ours);
  expect(bootFileOf(offer)).toBe('http://10.77.0.1:8080/boot/snponly.efi');
  expect(Buffer.from(optionsOf(offer).get(60) ?? []).toString()).toBe('HTTPClient');
});

test('the REQUEST for the other server, a plain client and an unknown machine are left alone', async () => {
  broadcast(request({ type: 3, options: [[54, '10.77.0.2'], [50, '10.77.0.50'], ...uefiOptions] }));
  const ignored = await server.waitFor(({ event }) => event === 'ignored');
  expect(ignored).toMatchObject({
    reasons: ['the REQUEST is for the address server 10.77.0.2'],
    otherServer: '10.77.0.2',
  });
  broadcast(discover([]));
  broadcast(discover(uefiOptions, '52:54:00:00:00:99'));
  await server.waitFor((event) => event.event === 'ignored' && event.mac === '52:54:00:00:00:99');
  expect(server.values.filter(({ event }) => event !== 'ignored')).toHaveLength(1);
  expect(server.values.flatMap((event) => (event.event === 'ignored' ? event.reasons : []))).toEqual([
    'the REQUEST is for the address server 10.77.0.2',
    'not a netboot client; addresses come from another DHCP server',
    'unknown machine',
  ]);
});

test('a machine for which the registry fails stops nobody else', async () => {
  broadcast(discover(uefiOptions, broken));
  expect(await server.waitFor(({ event }) => event === 'failed')).toMatchObject({
    doing: 'answering a datagram from 10.77.0.9:68',
    error: 'Error: the registry cannot be read',
  });
  broadcast(discover(uefiOptions));
  expect(bootFileOf(await replyFrom(ours))).toBe('snponly.efi');
});

test('3000 damaged datagrams to both ports: every one is accounted for, then a machine still boots', async () => {
  const random = seededRandom(20261121);
  const patterns = [ipxeBiosDiscover, discover(uefiOptions), discover(httpBootOptions), discover([])];
  const count = 3000;
  // The first event is `listening`.
  const handled = (datagrams: number) =>
    expect.poll(() => server.values.length, { interval: 2, timeout: 10_000 }).toBeGreaterThan(datagrams);
  for (let i = 0; i < count; i++) {
    const hex = mutate(patterns[i % patterns.length] ?? ipxeBiosDiscover, random).toString('hex');
    peer.send({ port: 68, to: '10.77.0.1', toPort: i % 2 === 0 ? 67 : 4011, hex });
    // Never more on the way than the kernel's receive buffer holds: what it drops would prove nothing.
    if (i % 50 === 49) await handled(i - 50);
  }
  await handled(count);
  expect(server.values.filter(({ event }) => event === 'failed')).toEqual([]);
  broadcast(request({ type: 1, xid: 0x7e57ab1e, flags: 0x8000, options: uefiOptions }));
  await server.waitFor((event) => event.event === 'replied' && event.xid === 0x7e57ab1e);
});
