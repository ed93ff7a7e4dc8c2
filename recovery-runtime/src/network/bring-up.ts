import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import type { StationNetwork } from '#contract/station-network.ts';
import { findBootCard, type NetworkInterface } from './boot-card.ts';
import { askForAddress, stopDhcpClient } from './dhcp-client.ts';
import { takeFixedAddress } from './fixed-address.ts';
import { probeJumboFrames, setMtu, usualMtu } from './frame-size.ts';
import type { Lease } from './lease.ts';
import { waitFor } from './wait-for.ts';

export interface NetworkUp extends Lease {
  /** The card, or the VLAN on it. */
  readonly interfaceName: string;
  readonly mac: string;
  readonly by: 'dhcp' | 'fixed';
  readonly vlan?: number;
  /** Only where the station's settings say one; the usual one after a switch on the way did not carry it. */
  readonly mtu?: number;
}

export interface BringUpOptions {
  readonly bootMac: string;
  readonly network: StationNetwork;
  /** Host of the recovery service. */
  readonly server: string;
  readonly say: (sentence: string) => void;
  /** Where the DHCP client's script and lease lie. */
  readonly folder?: string;
}

/** A spanning-tree port forwards after 30 to 50 s; most firmware has given up by then, we have not. */
const patienceSeconds = 60;
const ip = { command: 'ip', debianPackage: 'iproute2' };

/**
 * Brings up the card that the firmware booted from, and no other, as the station's settings say: link, VLAN, frame
 * size, then an address. Safe to call again.
 * @throws RekindleError `unexpected`: no such card, no link, no VLANs, or a link and no answer
 */
export async function bringUpBootCard(options: BringUpOptions): Promise<NetworkUp> {
  const { bootMac, network, server, say, folder = '/run/rekindle' } = options;
  const card = findBootCard(await listInterfaces(), bootMac);
  // Before the link comes up: some drivers restart it for another size.
  if (network.mtu !== undefined) await setMtu(card.name, network.mtu);
  await runTool(`bringing up ${card.name}`, ip, ['link', 'set', card.name, 'up']);

  const waitSeconds = network.waitSeconds ?? patienceSeconds;
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

  const interfaceName = network.vlan === undefined ? card.name : await addVlan(card.name, network.vlan);
  if (interfaceName !== card.name && network.mtu !== undefined) await setMtu(interfaceName, network.mtu);
  const wanted = { interfaceName, mac: card.mac, deadline, waitSeconds, say, folder };
  stopDhcpClient();
  const { address, router } = network;
  const lease =
    address === undefined
      ? await askForAddress(wanted)
      : await takeFixedAddress({ address, router, server }, wanted);
  const mtu = network.mtu === undefined ? {} : { mtu: await checkMtu(card.name, network.mtu, options) };
  return {
    ...lease,
    interfaceName,
    mac: card.mac,
    by: address === undefined ? 'dhcp' : 'fixed',
    ...(network.vlan === undefined ? {} : { vlan: network.vlan }),
    ...mtu,
  };
}

/** A tagged port: IEEE 802.1Q, an interface of its own on the card. */
async function addVlan(card: string, vlan: number): Promise<string> {
  const name = `vlan${vlan}`;
  const doing = `adding VLAN ${vlan} to ${card}`;
  if (!existsSync(`/sys/class/net/${name}`)) {
    const type = ['type', 'vlan', 'id', String(vlan)];
    const { status, stderr } = await callTool(doing, ip, [
      'link',
      'add',
      'link',
      card,
      'name',
      name,
      ...type,
    ]);
    if (status !== 0) {
      throw new RekindleError('unexpected', doing, {
        cause: new Error(stderr.trim()),
        next: 'Build the runtime again (rekindle runtime build): one of an older version knows no VLANs.',
      });
    }
  }
  await runTool(doing, ip, ['link', 'set', name, 'up']);
  return name;
}

/** The size that the way to the server carries: the wanted one, or the usual one. */
async function checkMtu(card: string, mtu: number, { server, say }: BringUpOptions): Promise<number> {
  if (mtu <= usualMtu || !isIPv4(server)) return mtu;
  const frames = await probeJumboFrames(server, mtu);
  if (frames === 'carried') return mtu;
  if (frames === 'unknown') {
    say(`${server} answers no ping, so nobody knows whether packets of ${mtu} bytes arrive there.`);
    return mtu;
  }
  say(
    `Packets of ${mtu} bytes do not arrive at ${server}, smaller ones do: a switch on the way does not carry ` +
      `jumbo frames. Going on with ${usualMtu}.`,
  );
  await setMtu(card, usualMtu);
  return usualMtu;
}

async function listInterfaces(): Promise<NetworkInterface[]> {
  const folder = '/sys/class/net';
  const names = await readdir(folder);
  const cards = names.map(async (name): Promise<NetworkInterface> => {
    const mac = (await readFile(join(folder, name, 'address'), 'utf8').catch(() => '')).trim();
    return { name, mac };
  });
  // A VLAN of an earlier try has its card's address.
  return (await Promise.all(cards)).filter(
    ({ name, mac }) => name !== 'lo' && mac !== '' && !/^vlan\d+$/.test(name),
  );
}

async function hasCarrier(name: string): Promise<true | undefined> {
  const carrier = await readFile(`/sys/class/net/${name}/carrier`, 'utf8').catch(() => '0');
  return carrier.trim() === '1' ? true : undefined;
}
