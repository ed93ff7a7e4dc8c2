/**
 * Stand-in for the runtime's program: on a machine with two cards on one wire, the second is a tagged switch port with a
 * DHCP server behind it. Says what became of the first one with and without the tag. Bundled into a real runtime.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { StationNetwork } from '#contract/station-network.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { waitForInit } from '#runtime/init/wait-for-init.ts';
import { bringUpBootCard } from '#runtime/network/bring-up.ts';

const ip = (...words: string[]) => execFileSync('ip', words);

async function tryNetwork(network: StationNetwork): Promise<void> {
  const said: string[] = [];
  const say = (sentence: string) => void said.push(sentence);
  const options = { bootMac: '52:54:00:00:08:01', network, server: '10.77.20.1', say };
  const outcome = await bringUpBootCard(options).catch((error: Error) => `${error.message}: ${error.cause}`);
  process.stdout.write(`probe network ${JSON.stringify({ outcome, said })}\n`);
}

async function main(): Promise<void> {
  // As the program itself: nothing is loaded without the site's signature.
  const signer = parsePublicKey(readFileSync('/rekindle/site/image-signer.pub', 'utf8'));
  await waitForInit();
  const drivers = await loadDriverPack({ signer });
  process.stdout.write(`probe drivers ${drivers.kind}\n`);
  ip('link', 'set', 'eth1', 'up');
  ip('link', 'add', 'link', 'eth1', 'name', 'tag20', 'type', 'vlan', 'id', '20');
  ip('addr', 'add', '10.77.20.1/24', 'dev', 'tag20');
  ip('link', 'set', 'tag20', 'up');
  writeFileSync('/run/leases', '');
  writeFileSync(
    '/run/udhcpd.conf',
    'start 10.77.20.50\nend 10.77.20.50\ninterface tag20\nlease_file /run/leases\noption subnet 255.255.255.0\n',
  );
  spawn('busybox', ['udhcpd', '-f', '/run/udhcpd.conf'], { stdio: 'ignore' });
  await tryNetwork({ waitSeconds: 10 });
  await tryNetwork({ vlan: 20, waitSeconds: 60 });
  writeFileSync('/run/rekindle/next', 'poweroff');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stdout.write(`probe failed ${String(error)}\n`);
    process.exit(1);
  },
);
