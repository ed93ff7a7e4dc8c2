import { afterEach, expect, onTestFinished, test } from 'vitest';
import { addressOf, bootFileOf, optionsOf, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';
import { startDhcp } from '#test/support/dhcp-lan.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createRoutedPlant, type RoutedPlant } from '#test/support/routed-plant.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

const mac = '52:54:00:00:00:01';
let plant: RoutedPlant | undefined;
afterEach(() => plant?.[Symbol.asyncDispose]());

async function routedPlant(): Promise<RoutedPlant> {
  plant = await createRoutedPlant(mac);
  return plant;
}

/** isc-dhcp-relay adds option 82 and takes it off again; dnsmasq sends none. */
const relays = {
  'isc-dhcp-relay, with option 82': [
    'dhcrelay',
    ['-4', '-d', '-a', '-iu', 'eth0', '-id', 'eth1', '10.77.0.1'],
  ],
  dnsmasq: [
    'dnsmasq',
    ['--no-daemon', '--port=0', '--conf-file=/dev/null', '--user=root', '--dhcp-relay=10.88.0.1,10.77.0.1'],
  ],
} as const satisfies Record<string, readonly [string, readonly string[]]>;

/** A DISCOVER until it is answered: the relay says nothing when it is ready. */
async function boot(lan: RoutedPlant, options = uefiOptions) {
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  const peer = startJsonLines<PeerDatagram>(lan.members.station, script, {
    ports: [68, 4011],
    address: '10.88.0.9',
  });
  await peer.waitFor(({ from }) => from === 'ready');
  const ask = (type: number, xid: number, more: typeof options = []) => {
    const hex = request({ type, xid, flags: 0x8000, options: [...more, ...options] }).toString('hex');
    return setInterval(() => peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex }), 300);
  };
  const answerTo = async (type: number, xid: number, more: typeof options = []) => {
    const timer = ask(type, xid, more);
    onTestFinished(() => clearInterval(timer));
    const { hex } = await peer.waitFor(
      (datagram) => datagram.port === 68 && datagram.hex.slice(8, 16) === xid.toString(16).padStart(8, '0'),
      10,
    );
    clearInterval(timer);
    return Buffer.from(hex, 'hex');
  };
  return { peer, answerTo };
}

test.each(Object.entries(relays))('reservation mode through %s', async (_, [command, args]) => {
  const lan = await routedPlant();
  const server = await startDhcp(lan.members.server, {
    mode: 'reservation',
    stations: { [mac]: '10.88.0.21' },
    netmask: '255.255.255.0',
  });
  lan.members.router.spawn(command, args);
  const { answerTo } = await boot(lan);
  const offer = await answerTo(1, 0x1001);
  expect(addressOf(offer, 16)).toBe('10.88.0.21');
  expect(bootFileOf(offer)).toBe('snponly.efi');
  const ack = await answerTo(3, 0x1002, [
    [54, '10.77.0.1'],
    [50, '10.88.0.21'],
  ]);
  expect(optionsOf(ack).get(53)).toEqual([5]);
  const nak = await answerTo(3, 0x1003, [[50, '10.77.0.99']]);
  expect(optionsOf(nak).get(53)).toEqual([6]);
  // The relay takes its option 82 off only when it comes back as it was; nothing may be left for the station.
  expect(optionsOf(offer).has(82)).toBe(false);
  expect(server.values).toContainEqual(
    expect.objectContaining({ event: 'replied', reply: 'OFFER', relay: '10.88.0.1' }),
  );
  expect(server.values.filter(({ event }) => event === 'failed')).toEqual([]);
});

test.each(Object.entries(relays))(
  'proxy mode through %s, then port 4011 through the router',
  async (_, [command, args]) => {
    const lan = await routedPlant();
    await startDhcp(lan.members.server, { mode: 'proxy', stations: { [mac]: '10.88.0.21' } });
    lan.members.router.spawn(command, args);
    const { peer, answerTo } = await boot(lan);
    const offer = await answerTo(1, 0x2001);
    expect(addressOf(offer, 16)).toBe('0.0.0.0');
    expect(addressOf(offer, 20)).toBe('10.77.0.1');
    const ask = request({ type: 3, xid: 0x2002, ciaddr: '10.88.0.9', options: uefiOptions });
    peer.send({ port: 4011, to: '10.77.0.1', toPort: 4011, hex: ask.toString('hex') });
    const { hex } = await peer.waitFor(({ from }) => from === '10.77.0.1:4011');
    expect(bootFileOf(Buffer.from(hex, 'hex'))).toBe('snponly.efi');
  },
);
