import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

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

function bringUp(mac: string, seconds: number): Promise<Record<string, unknown>[]> {
  const script = new URL('../support/bring-up-boot-card.ts', import.meta.url).pathname;
  const child = spawn(
    'ip',
    ['netns', 'exec', station, process.execPath, script, mac, String(seconds), folder],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
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
  test('gets its address, prefix and default route; the other card stays as it was', async () => {
    startDhcpServer();
    const [last] = (await bringUp(bootMac.toUpperCase(), 20)).slice(-1);
    expect(last).toEqual({
      network: {
        address: '10.77.7.50',
        prefixLength: 24,
        router: '10.77.7.254',
        interfaceName: 'boot',
        mac: bootMac,
      },
    });
    expect(inStation('ip', '-4', 'address', 'show', 'dev', 'boot')).toContain('10.77.7.50/24');
    expect(inStation('ip', 'route')).toContain('default via 10.77.7.254 dev boot');
    expect(inStation('ip', 'link', 'show', 'other')).toContain('state DOWN');
  });

  test('no cable: says so while it waits, then fails with the card and what to do', async () => {
    ip('-n', plant, 'link', 'set', 'boot', 'down');
    const lines = await bringUp(bootMac, 7);
    expect(lines[0]).toEqual({
      said: `Waiting for the link of boot (${bootMac}); check its cable and the switch port.`,
    });
    expect(lines.at(-1)?.['failed']).toMatch(/bringing up the network card boot .*no link within 7 s/);
  });

  test('a port that does not forward at first: says so, and gets the address as soon as it does', async () => {
    const waiting = bringUp(bootMac, 30);
    await new Promise((resolve) => setTimeout(resolve, 8000));
    startDhcpServer();
    const lines = await waiting;
    expect(JSON.stringify(lines[0])).toContain('the switch port may not forward yet (spanning tree)');
    expect(lines.at(-1)).toMatchObject({ network: { address: '10.77.7.50' } });
  });

  test('no DHCP server at all', async () => {
    const lines = await bringUp(bootMac, 4);
    expect(lines.at(-1)?.['failed']).toMatch(
      /asking for an address on boot .*no DHCP server answered within 4 s/,
    );
  });

  test('a MAC address that no card has: the cards that are there are named, none is touched', async () => {
    const lines = await bringUp('52:54:00:00:77:99', 4);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.['failed']).toContain(`boot ${bootMac}`);
    expect(inStation('ip', 'link', 'show', 'boot')).toContain('state DOWN');
  });
});
