import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RekindleError } from '#base/errors.ts';
import { findBootCard, type NetworkInterface } from './boot-card.ts';
import { type Lease, leaseScript, parseLease } from './lease.ts';

export interface NetworkUp extends Lease {
  readonly interfaceName: string;
  readonly mac: string;
}

export interface BringUpOptions {
  readonly bootMac: string;
  readonly say: (sentence: string) => void;
  /** Link and address together must be there within that. */
  readonly waitSeconds?: number;
  /** Where the script and the lease lie. */
  readonly folder?: string;
}

/** A spanning-tree port forwards after 30 to 50 s; most firmware has given up by then, we have not. */
const patienceSeconds = 60;
const sayEverySeconds = 10;
const pollMilliseconds = 200;

const run = promisify(execFile);
let dhcpClient: ChildProcess | undefined;

/**
 * Brings up the card that the firmware booted from, and no other: link, then an address by DHCP (busybox
 * udhcpc, which stays and renews the lease). Safe to call again.
 * @throws RekindleError `unexpected`: no such card, no link, or a link and no answer
 */
export async function bringUpBootCard({
  bootMac,
  say,
  waitSeconds = patienceSeconds,
  folder = '/run/rekindle',
}: BringUpOptions): Promise<NetworkUp> {
  const card = findBootCard(await listInterfaces(), bootMac);
  await run('ip', ['link', 'set', card.name, 'up']);

  const deadline = performance.now() + waitSeconds * 1000;
  const linked = await waitFor(
    () => hasCarrier(card.name),
    deadline,
    () => say(`Waiting for the link of ${card.name} (${card.mac}); check its cable and the switch port.`),
  );
  if (!linked) {
    throw new RekindleError('unexpected', `bringing up the network card ${card.name} (${card.mac})`, {
      cause: new Error(`no link within ${waitSeconds} s`),
      next: 'Plug the network cable into the port that this machine booted from, then try again.',
    });
  }

  await mkdir(folder, { recursive: true });
  const leaseFile = join(folder, 'lease');
  const script = join(folder, 'udhcpc-script');
  await writeFile(script, leaseScript, { mode: 0o755 });
  await rm(leaseFile, { force: true });
  dhcpClient?.kill();
  const client = spawn(
    'busybox',
    ['udhcpc', '-f', '-i', card.name, '-s', script, '-t', '1000', '-T', '3', '-A', '3'],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env['PATH'] ?? '', LEASE: leaseFile } },
  );
  dhcpClient = client;
  let lastWords = '';
  client.stderr.on('data', (bytes: Buffer) => {
    lastWords = `${lastWords}${bytes.toString('utf8')}`.slice(-500);
  });
  client.on('error', (error) => {
    lastWords = error.message;
  });

  const readLease = async () => parseLease(await readFile(leaseFile, 'utf8').catch(() => ''));
  const lease = await waitFor(readLease, deadline, () =>
    say(
      `${card.name} has a link but no address yet: the switch port may not forward yet (spanning tree), ` +
        'or no DHCP server answers.',
    ),
  );
  if (lease === undefined) {
    client.kill();
    throw new RekindleError('unexpected', `asking for an address on ${card.name} (${card.mac})`, {
      cause: new Error(`no DHCP server answered within ${waitSeconds} s; udhcpc said: ${lastWords.trim()}`),
      next: 'Make the switch port an edge port (portfast), check that the DHCP server runs, then try again.',
    });
  }
  return { ...lease, interfaceName: card.name, mac: card.mac };
}

/** Ends the DHCP client; the address stays. */
export function stopDhcpClient(): void {
  dhcpClient?.kill();
  dhcpClient = undefined;
}

/** Polls until there is a value, speaking up every few seconds; nothing when the deadline passed. */
async function waitFor<Value>(
  look: () => Promise<Value | undefined>,
  deadline: number,
  speakUp: () => void,
): Promise<Value | undefined> {
  let speakAt = performance.now() + (sayEverySeconds * 1000) / 2;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    const now = performance.now();
    if (now >= deadline) return undefined;
    if (now >= speakAt) {
      speakUp();
      speakAt = now + sayEverySeconds * 1000;
    }
    await sleep(pollMilliseconds);
  }
}

async function listInterfaces(): Promise<NetworkInterface[]> {
  const folder = '/sys/class/net';
  const names = await readdir(folder);
  const cards = names.map(async (name): Promise<NetworkInterface> => {
    const mac = (await readFile(join(folder, name, 'address'), 'utf8').catch(() => '')).trim();
    return { name, mac };
  });
  return (await Promise.all(cards)).filter(({ name, mac }) => name !== 'lo' && mac !== '');
}

async function hasCarrier(name: string): Promise<true | undefined> {
  const carrier = await readFile(`/sys/class/net/${name}/carrier`, 'utf8').catch(() => '0');
  return carrier.trim() === '1' ? true : undefined;
}
