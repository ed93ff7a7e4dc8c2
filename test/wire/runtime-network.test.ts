import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StationNetwork } from '#contract/station-network.ts';

/** The boot card against a real DHCP server (dnsmasq) and busybox udhcpc, each in a network namespace of its own. */

const suffix = process.pid;
const station = `rk-st-${suffix}`;
const plant = `rk-pl-${suffix}`;
const bootMac = '52:54:00:00:77:01';
const otherMac = '52:54:00:00:77:02';
let folder = '';
let dnsmasq: ReturnType<typeof spawn> | undefined;

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8', stdio: 'pipe' });
const inStation = (...words: string[]) => ip('netns', 'exec', station, ...words);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-network-'));
  ip('netns', 'add', station);
  ip('netns', 'add', plant);
  for (const [name, mac] of [
    ['boot', bootMac],
    ['other', otherMac],
  ] as const) {
    ip(
      'link',
      'add',
      name,
      'address',
      mac,
      'netns',
      station,
      'type',
      'veth',
      'peer',
      'name',
      name,
      'netns',
      plant,
    );
    ip('-n', plant, 'link', 'set', name, 'up');
  }
  ip('-n', plant, 'address', 'add', '10.77.7.1/24', 'dev', 'boot');
});

afterEach(async () => {
  if (dnsmasq !== undefined && dnsmasq.exitCode === null) {
    const ended = new Promise((resolve) => dnsmasq?.once('exit', resolve));
    dnsmasq.kill();
    await ended;
  }
  dnsmasq = undefined;
  ip('netns', 'del', station);
  ip('netns', 'del', plant);
  rmSync(folder, { recursive: true, force: true });
});

function startDhcpServer(): void {
  dnsmasq = spawn(
    'ip',
    [
      ...['netns', 'exec', plant, 'dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--port=0'],
      ...['--interface=boot', '--bind-interfaces', '--dhcp-range=10.77.7.50,10.77.7.50,255.255.255.0,1h'],
      ...['--dhcp-option=3,10.77.7.254', `--dhcp-leasefile=${join(folder, 'leases')}`, '--no-ping'],
    ],
    { stdio: 'ignore' },
  );
}

/** @param onWord called as soon as the card says something */
function bringUp(
  mac: string,
  settings: StationNetwork = {},
  onWord: () => void = () => {},
): Promise<Record<string, unknown>[]> {
  const script = new URL('../support/bring-up-boot-card.ts', import.meta.url).pathname;
  const child = spawn(
    'ip',
    ['netns', 'exec', station, process.execPath, script, mac, folder, JSON.stringify(settings)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    if (output === '') onWord();
    output += bytes.toString('utf8');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () =>
      resolve(
        output
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
    );
  });
}

describe('boot card', () => {
  test('pain 8: gets its address, prefix and default route; the other card stays as it was', async () => {
    startDhcpServer();
    const [last] = (await bringUp(bootMac.toUpperCase(), { waitSeconds: 20 })).slice(-1);
    expect(last).toEqual({
      network: {
        address: '10.77.7.50',
        prefixLength: 24,
        router: '10.77.7.254',
        interfaceName: 'boot',
        mac: bootMac,
        by: 'dhcp',
      },
    });
    expect(inStation('ip', '-4', 'address', 'show', 'dev', 'boot')).toContain('10.77.7.50/24');
    expect(inStation('ip', 'route')).toContain('default via 10.77.7.254 dev boot');
    expect(inStation('ip', 'link', 'show', 'other')).toContain('state DOWN');
  });

  test('no cable: says so while it waits, then fails with the card and what to do', async () => {
    ip('-n', plant, 'link', 'set', 'boot', 'down');
    const lines = await bringUp(bootMac, { waitSeconds: 10 });
    expect(lines[0]).toEqual({
      said: `Waiting for the link of boot (${bootMac}); check its cable and the switch port.`,
    });
    expect(lines.at(-1)?.['failed']).toMatch(/bringing up the network card boot .*no link within 10 s/);
  });

  test('pain 9: a port that does not forward at first: says so, and gets the address as soon as it does', async () => {
    const waiting = bringUp(bootMac, { waitSeconds: 30 });
    await new Promise((resolve) => setTimeout(resolve, 8000));
    startDhcpServer();
    const lines = await waiting;
    expect(JSON.stringify(lines[0])).toContain('the switch port may not forward yet (spanning tree)');
    expect(lines.at(-1)).toMatchObject({ network: { address: '10.77.7.50' } });
  });

  test('no DHCP server at all', async () => {
    const lines = await bringUp(bootMac, { waitSeconds: 10 });
    expect(lines.at(-1)?.['failed']).toMatch(
      /asking for an address on boot .*no DHCP server answered within 10 s/,
    );
  });

  test('pain 8: a MAC address that no card has: the cards that are there are named, none is touched', async () => {
    const lines = await bringUp('52:54:00:00:77:99');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.['failed']).toContain(`boot ${bootMac}`);
    expect(inStation('ip', 'link', 'show', 'boot')).toContain('state DOWN');
  });

  test('a fixed address: taken when the port forwards, with its route; DHCP is asked nothing', async () => {
    ip('-n', plant, 'address', 'del', '10.77.7.1/24', 'dev', 'boot');
    const settings = { address: '10.77.7.20/24', router: '10.77.7.254', waitSeconds: 40 };
    const forward = () => void ip('-n', plant, 'address', 'add', '10.77.7.1/24', 'dev', 'boot');
    const lines = await bringUp(bootMac, settings, forward);
    expect(lines[0]?.['said']).toContain(
      '10.77.7.1 does not answer yet: the switch port may not forward yet',
    );
    expect(lines.at(-1)).toEqual({
      network: {
        address: '10.77.7.20',
        prefixLength: 24,
        router: '10.77.7.254',
        interfaceName: 'boot',
        mac: bootMac,
        by: 'fixed',
      },
    });
    expect(inStation('ip', '-4', 'address', 'show', 'dev', 'boot')).toContain('10.77.7.20/24');
    expect(inStation('ip', 'route')).toContain('default via 10.77.7.254 dev boot');
  });

  test('a fixed address that somebody has is refused, with who it is', async () => {
    ip('-n', plant, 'address', 'add', '10.77.7.20/24', 'dev', 'boot');
    const plantMac = /link\/ether (\S+)/.exec(ip('-n', plant, 'link', 'show', 'boot'))?.[1];
    const lines = await bringUp(bootMac, { address: '10.77.7.20/24', waitSeconds: 20 });
    expect(lines.at(-1)?.['failed']).toContain(`${plantMac} has that address`);
    expect(inStation('ip', '-4', 'address', 'show', 'dev', 'boot')).not.toContain('10.77.7.20');
  });

  test('a service in another subnet needs a router', async () => {
    const lines = await bringUp(bootMac, { address: '10.78.0.20/24' });
    expect(lines.at(-1)?.['failed']).toContain('is in another subnet, and no router is set');
  });

  test('jumbo frames: kept where they arrive, given up in a sentence where a switch drops them', async () => {
    startDhcpServer();
    ip('-n', plant, 'link', 'set', 'boot', 'mtu', '9000');
    const carried = await bringUp(bootMac, { mtu: 9000, waitSeconds: 20 });
    expect(carried).toHaveLength(1);
    expect(carried[0]).toMatchObject({ network: { mtu: 9000, by: 'dhcp' } });
    expect(inStation('ip', 'link', 'show', 'boot')).toContain('mtu 9000');

    ip('-n', plant, 'link', 'set', 'boot', 'mtu', '1500');
    const dropped = await bringUp(bootMac, { mtu: 9000, waitSeconds: 20 });
    expect(dropped[0]?.['said']).toBe(
      'Packets of 9000 bytes do not arrive at 10.77.7.1, smaller ones do: a switch on the way does not carry jumbo frames. Going on with 1500.',
    );
    expect(dropped.at(-1)).toMatchObject({ network: { mtu: 1500 } });
    expect(inStation('ip', 'link', 'show', 'boot')).toContain('mtu 1500');
  });
});
