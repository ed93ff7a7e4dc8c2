import { afterEach, expect, test } from 'vitest';
import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import type { FoundServer } from '#pxe-server/dhcp/probe-servers.ts';
import { addressOf, bootFileOf, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';
import { startDhcp } from '#test/support/dhcp-lan.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork, type NetworkNamespace } from '#test/support/network-namespace.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

const mac = '52:54:00:00:00:01';
const stations = { [mac]: '10.77.0.21' };
const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of disposables.splice(0)) await each[Symbol.asyncDispose]();
});

async function lanOf<Name extends string>(members: Parameters<typeof createNetwork<Name>>[0]) {
  const lan = await createNetwork(members);
  disposables.push(lan);
  return lan;
}

async function startPeer(member: NetworkNamespace, address: string) {
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  const peer = startJsonLines<PeerDatagram>(member, script, { ports: [68], address });
  await peer.waitFor(({ from }) => from === 'ready');
  const discover = (xid: number, of = mac) => {
    const hex = request({ type: 1, xid, flags: 0x8000, mac: of, options: uefiOptions }).toString('hex');
    peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex });
  };
  const answer = async (xid: number) => {
    const wanted = xid.toString(16).padStart(8, '0');
    const { hex } = await peer.waitFor((datagram) => datagram.hex.slice(8, 16) === wanted);
    return Buffer.from(hex, 'hex');
  };
  return { ...peer, discover, answer };
}

test('two networks on one computer: each machine gets the address of its own side, a third network is not heard', async () => {
  const lan = await lanOf({ server: { address: '10.77.0.1/24' }, one: { address: '10.77.0.9/24' } });
  const { server, bridge } = lan.members;
  const other = await lanOf({ two: { address: '10.78.0.9/24' }, three: { address: '10.79.0.9/24' } });
  const must = async (...args: string[]) => {
    const { code, stderr } = await bridge.run('ip', args);
    if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
  };
  // Two more cards of the server, each on a cable to one machine.
  for (const [index, member] of [other.members.two, other.members.three].entries()) {
    const card = `eth${index + 1}`;
    await must('-n', member.name, 'link', 'delete', 'eth0');
    const cable = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', member.name];
    await must('-n', server.name, 'link', 'add', card, ...cable);
    await must('-n', server.name, 'address', 'add', `10.7${8 + index}.0.1/24`, 'dev', card);
    await must('-n', server.name, 'link', 'set', card, 'up');
    await must('-n', member.name, 'link', 'set', 'eth0', 'up');
    await must('-n', member.name, 'address', 'add', `10.7${8 + index}.0.9/24`, 'dev', 'eth0');
    await must('-n', member.name, 'route', 'add', 'default', 'dev', 'eth0');
  }
  const first = await startDhcp(server, { mode: 'proxy', stations });
  const second = await startDhcp(server, {
    mode: 'proxy',
    stations,
    settings: {
      interfaceName: 'eth1',
      interfaceAddress: ipv4('10.78.0.1'),
      tftpServer: ipv4('10.78.0.1'),
    },
  });
  const one = await startPeer(lan.members.one, '10.77.0.9');
  const two = await startPeer(other.members.two, '10.78.0.9');
  const three = await startPeer(other.members.three, '10.79.0.9');
  one.discover(0x11);
  expect(addressOf(await one.answer(0x11), 20)).toBe('10.77.0.1');
  two.discover(0x12);
  expect(addressOf(await two.answer(0x12), 20)).toBe('10.78.0.1');
  three.discover(0x13);
  one.discover(0x14);
  await one.answer(0x14);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const xids = (events: readonly unknown[]) =>
    events.flatMap((event) => ('xid' in (event as object) ? [(event as { xid: number }).xid] : []));
  expect(xids(first.values)).toEqual([0x11, 0x14]);
  expect(xids(second.values)).toEqual([0x12]);
  expect(three.values.filter(({ port }) => port === 68)).toEqual([]);
  // Sent to the served address itself, it is answered: a relay may stand behind any card.
  const relayed = request({ type: 1, xid: 0x15, giaddr: '10.79.0.9', mac, options: uefiOptions });
  three.send({ port: 68, to: '10.77.0.1', toPort: 67, hex: relayed.toString('hex') });
  await first.waitFor((event) => event.event === 'replied' && event.relay === '10.79.0.9');
});

test('an address that somebody uses is not offered; nobody else waits; once it is free it is', async () => {
  const lan = await lanOf({
    server: { address: '10.77.0.1/24' },
    station: { address: '10.77.0.9/24' },
    squatter: { address: '10.77.0.21/24', mac: '52:54:00:00:00:66' },
  });
  const server = await startDhcp(lan.members.server, {
    mode: 'reservation',
    stations: { ...stations, '52:54:00:00:00:02': '10.77.0.22' },
  });
  const peer = await startPeer(lan.members.station, '10.77.0.9');
  peer.discover(0x21);
  peer.discover(0x22, '52:54:00:00:00:02');
  expect(addressOf(await peer.answer(0x22), 16)).toBe('10.77.0.22');
  const conflict = await server.waitFor(({ event }) => event === 'conflict');
  expect(conflict).toMatchObject({ mac, address: '10.77.0.21', user: '52:54:00:00:00:66' });
  await lan.members.squatter.run('ip', ['address', 'flush', 'dev', 'eth0']);
  peer.discover(0x23);
  expect(addressOf(await peer.answer(0x23), 16)).toBe('10.77.0.21');
  expect(bootFileOf(await peer.answer(0x23))).toBe('snponly.efi');
  expect(peer.values.filter(({ hex }) => hex.slice(8, 16) === '00000021')).toEqual([]);
});

test('an enrolment address that somebody uses is passed over', async () => {
  const lan = await lanOf({
    server: { address: '10.77.0.1/24' },
    station: { address: '10.77.0.9/24' },
    squatter: { address: '10.77.0.200/24' },
  });
  await startDhcp(lan.members.server, { mode: 'reservation', stations: {}, enrolmentOpen: true });
  const peer = await startPeer(lan.members.station, '10.77.0.9');
  peer.discover(0x31, '52:54:00:00:00:99');
  expect(addressOf(await peer.answer(0x31), 16)).toBe('10.77.0.201');
});

test('the DHCP servers of a network are found, and ours is not among them', async () => {
  const lan = await lanOf({ server: { address: '10.77.0.1/24' }, foreign: { address: '10.77.0.2/24' } });
  await startDhcp(lan.members.server, { mode: 'proxy', stations });
  // As it is installed: it probes an address for three seconds before it offers it.
  const dnsmasq = lan.members.foreign.spawn('dnsmasq', [
    ...['--no-daemon', '--port=0', '--conf-file=/dev/null', '--dhcp-authoritative', '--user=root'],
    ...['--dhcp-range=10.77.0.50,10.77.0.60', '--dhcp-leasefile=/dev/null', '--dhcp-boot=pxelinux.0'],
  ]);
  await new Promise((resolve) => dnsmasq.stderr.once('data', resolve));
  const script = new URL('../support/dhcp-probe-process.ts', import.meta.url);
  const probe = startJsonLines<FoundServer[]>(lan.members.server, script, {});
  const found = await probe.waitFor(() => true, 8);
  expect(found).toEqual([
    { address: '10.77.0.2', offers: expect.stringMatching(/^10\.77\.0\.[56]\d$/), bootFile: 'pxelinux.0' },
  ]);
});
