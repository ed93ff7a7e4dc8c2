import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addressOf, biosOptions, optionsOf, request } from '#test/support/dhcp-datagrams.ts';
import { startDhcp } from '#test/support/dhcp-lan.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork, type Network } from '#test/support/network-namespace.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

const station = { mac: '52:54:00:00:00:01', ip: '10.77.0.21' };
let lan: Network<'server' | 'client'>;
let folder: string;
let script: string;

beforeEach(async () => {
  lan = await createNetwork({ server: { address: '10.77.0.1/24' }, client: { mac: station.mac } });
  folder = await mkdtemp(join(tmpdir(), 'rekindle-dhcp-'));
  script = join(folder, 'script');
  // Called by both clients for every event; prints what they understood and leaves the machine alone.
  await writeFile(script, '#!/bin/sh\necho "event=$1$reason"\nenv\n', { mode: 0o755 });
});
afterEach(async () => {
  await lan[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const start = (options: { known?: boolean; enrolmentOpen?: boolean } = {}) =>
  startDhcp(lan.members.server, {
    mode: 'reservation',
    stations: options.known === false ? {} : { [station.mac]: station.ip },
    enrolmentOpen: options.enrolmentOpen ?? false,
  });

const udhcpc = (...args: string[]) =>
  lan.members.client.run('udhcpc', [...'-i eth0 -f -n -q -t 2 -T 1 -s'.split(' '), script, ...args]);

/** What a BIOS PXE ROM and OVMF add to a DISCOVER; udhcpc can say it for them. */
const pxeOptions = (architecture: string) => [
  ...['-V', `PXEClient:Arch:${String(Number.parseInt(architecture, 16)).padStart(5, '0')}:UNDI:002001`],
  ...['-x', `0x5d:${architecture}`, '-x', '0x5e:010201'],
  ...['-x', '0x61:0044332211665588770102030405060708', '-O', 'bootfile', '-O', 'tftp'],
];

async function dhclient(requestedAddress?: string) {
  const [leases, configuration] = [join(folder, 'leases'), join(folder, 'dhclient.conf')];
  const lease = `lease { interface "eth0"; fixed-address ${requestedAddress};
    renew never; rebind never; expire never; }`;
  await writeFile(leases, requestedAddress === undefined ? '' : lease);
  await writeFile(configuration, 'timeout 5; retry 1; initial-interval 1; reboot 3;');
  const files = ['-cf', configuration, '-lf', leases, '-pf', join(folder, 'pid'), '-sf', script];
  const client = lan.members.client.spawn('dhclient', ['-4', '-1', '-v', '-d', ...files, 'eth0']);
  let output = '';
  await new Promise<void>((resolve) => {
    client.once('close', () => resolve());
    for (const stream of [client.stdout, client.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('bound to')) resolve();
      });
    }
  });
  return output;
}

test('udhcpc of a known station gets its address and no boot file', async () => {
  await start();
  const { code, stdout } = await udhcpc();
  expect(stdout).toContain(`ip=${station.ip}\n`);
  expect(stdout).toContain('subnet=255.255.255.0\n');
  expect(stdout).toContain('hostname=os-srv-1a\n');
  expect(stdout).toContain('lease=600\n');
  expect(stdout).not.toContain('boot_file=');
  expect(code).toBe(0);
});

test('dhclient of a known station gets its address', async () => {
  await start();
  const output = await dhclient();
  expect(output).toContain(`bound to ${station.ip}`);
  expect(output).toContain('new_dhcp_server_identifier=10.77.0.1\n');
});

test('dhclient that remembers an address of another network is told so and gets the right one', async () => {
  await start();
  const output = await dhclient('192.168.7.7');
  expect(output).toMatch(/DHCPNAK (of 192\.168\.7\.7 )?from 10\.77\.0\.1/);
  expect(output).toContain(`bound to ${station.ip}`);
});

test('dhcpcd of a known station gets its address', async () => {
  await start();
  const configuration = join(folder, 'dhcpcd.conf');
  await writeFile(configuration, 'clientid\noption host_name\n');
  // One round, the lease on standard output; it would keep files in /var/lib and /run.
  const { stdout, stderr } = await lan.members.client.run(
    'unshare',
    [
      ...[
        '--mount',
        'sh',
        '-c',
        'mount -t tmpfs t /var/lib/dhcpcd && mount -t tmpfs t /run && exec "$@"',
        '-',
      ],
      ...['dhcpcd', '--config', configuration, '--script', script, '--ipv4only', '--noarp', '--timeout', '8'],
      ...['--oneshot', '--nobackground', 'eth0'],
    ],
    { seconds: 15 },
  );
  expect(`${stdout}${stderr}`).toContain(`leased ${station.ip} for 600 seconds`);
  expect(stdout).toContain('new_dhcp_server_identifier=10.77.0.1\n');
});

// With a /sys that is only read it does not wait for udev.
test('systemd-networkd of a known station gets its address, and shows it', async () => {
  await start();
  const network =
    '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n[DHCPv4]\nClientIdentifier=mac\n';
  await writeFile(join(folder, 'eth0.network'), network);
  const child = lan.members.client.spawn('unshare', [
    ...['--mount', 'sh', '-c'],
    `mount -t tmpfs t /run && mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/dbus &&
     cp ${folder}/eth0.network /run/systemd/network/ && chown -R systemd-network: /run/systemd/netif &&
     mount -o remount,ro,bind /sys &&
     exec /lib/systemd/systemd-networkd`,
  ]);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  await expect.poll(() => said, { timeout: 15_000 }).toContain(`DHCPv4 address ${station.ip}/24`);
  const { stdout } = await lan.members.client.run('ip', ['-4', '-o', 'address', 'show', 'eth0']);
  expect(stdout).toContain(`${station.ip}/24`);
  child.kill();
});

test('the npm package dhcp, which names no address in its REQUEST, is bound', async () => {
  await start();
  const client = new URL('../support/npm-dhcp-client.ts', import.meta.url).pathname;
  const { stdout, stderr } = await lan.members.client.run(process.execPath, [client, station.mac]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toMatchObject({ state: 'BOUND', address: station.ip, leasePeriod: 600 });
});

test.each([
  ['BIOS PXE', '0000', 'undionly.kpxe'],
  ['UEFI PXE', '0007', 'snponly.efi'],
])('%s gets the loader with its address', async (_, architecture, bootFile) => {
  const server = await start();
  const { stdout } = await udhcpc(...pxeOptions(architecture));
  expect(stdout).toContain(`ip=${station.ip}\n`);
  expect(stdout).toContain('siaddr=10.77.0.1\n');
  expect(stdout).toContain(`boot_file=${bootFile}\n`);
  await server.waitFor((event) => event.event === 'replied' && event.reply === 'ACK');
});

test('an unknown machine gets silence, and the reason is reported', async () => {
  const server = await start({ known: false });
  const { code, stdout } = await udhcpc(...pxeOptions('0000'));
  expect(code).toBe(1);
  expect(stdout).not.toContain('event=bound');
  expect(await server.waitFor(({ event }) => event === 'ignored')).toMatchObject({
    mac: station.mac,
    firmwareKind: 'bios',
    reasons: ['unknown machine'],
  });
  expect(server.values.filter(({ event }) => event === 'replied')).toEqual([]);
});

test('an unknown machine in an enrolment window gets the same pool address every time', async () => {
  const server = await start({ known: false, enrolmentOpen: true });
  const first = await udhcpc();
  expect(first.stdout).toContain('ip=10.77.0.200\n');
  expect((await udhcpc(...pxeOptions('0007'))).stdout).toContain('ip=10.77.0.200\n');
  expect(server.values.filter(({ event }) => event === 'failed')).toEqual([]);
});

test('a computer without the configured address is told so', async () => {
  await expect(startDhcp(lan.members.client, { mode: 'reservation', stations: {} })).rejects.toThrow(
    'The DHCP server cannot use UDP port 67 of 10.77.0.1',
  );
});

test('100 machines at once: 100 different leases, none lost', async () => {
  const machines = Array.from({ length: 100 }, (_, index) => ({
    mac: `52:54:00:00:01:${index.toString(16).padStart(2, '0')}`,
    ip: `10.77.0.${100 + index}`,
  }));
  const stations = Object.fromEntries(machines.map(({ mac, ip }) => [mac, ip]));
  await startDhcp(lan.members.server, { mode: 'reservation', stations });
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  const peer = startJsonLines<PeerDatagram>(lan.members.client, script, { ports: [68], address: '0.0.0.0' });
  await peer.waitFor(({ from }) => from === 'ready');
  const [offered, leased] = [new Set<string>(), new Set<string>()];
  const startedAt = performance.now();
  for (const { mac } of machines) {
    const bytes = request({ type: 1, mac, options: biosOptions });
    peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex: bytes.toString('hex') });
  }
  let answered = 1;
  const answer = ({ hex }: PeerDatagram) => {
    const reply = Buffer.from(hex, 'hex');
    const [ip, type] = [addressOf(reply, 16), optionsOf(reply).get(53)?.[0]];
    if (type === 5) leased.add(ip);
    // The peer hears every broadcast on both of its sockets.
    if (type !== 2 || offered.has(ip)) return;
    offered.add(ip);
    const mac = reply.toString('hex', 28, 34);
    const options = [[54, '10.77.0.1'], [50, ip], ...biosOptions] as const;
    const bytes = request({ type: 3, mac, options });
    peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex: bytes.toString('hex') });
  };
  while (leased.size < machines.length && performance.now() - startedAt < 5000) {
    for (; answered < peer.values.length; answered++) {
      const datagram = peer.values[answered];
      if (datagram !== undefined) answer(datagram);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(Array.from(leased).sort()).toEqual(machines.map(({ ip }) => ip).sort());
});
