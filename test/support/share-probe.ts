/**
 * Stand-in for the runtime's program: carries out the order whose name comes from the console, and answers with
 * one line. The orders are where a site's CA is in a real runtime. It mounts with the runtime's own code. Bundled
 * by shares.test.ts, run nowhere else.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { errorChain, RekindleError } from '#base/errors.ts';
import type { Share } from '#contract/share.ts';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex, parseDiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { waitForInit } from '#runtime/init/wait-for-init.ts';
import type { DiskDevice } from '#runtime/inventory/disks.ts';
import { takeInventory } from '#runtime/inventory/inventory.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { type MountedShare, mountShare } from '#runtime/shares/mount-share.ts';
import { explainShareFailure } from '#runtime/shares/share-failure.ts';

export type Order =
  | { readonly do: 'mount'; readonly share: Share }
  | { readonly do: 'restore'; readonly share: Share; readonly disk: string; readonly sayAt?: number }
  | { readonly do: 'capture'; readonly share: Share; readonly disk: string }
  | { readonly do: 'end' };

const say = (what: string, value: unknown): void => {
  process.stdout.write(`probe ${what} ${JSON.stringify(value)}\n`);
};

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'mount': {
      await using mounted = await mountShare(order.share, 'read');
      const mount = readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .find((line) => line.includes(mounted.folder));
      return { mount, betrayedBy: betrayers(order.share) };
    }
    case 'restore': {
      await using mounted = await mountShare(order.share, 'read');
      return await inWords(mounted, () => restore(mounted, pathOf(order.disk), order.sayAt));
    }
    case 'capture': {
      await using mounted = await mountShare(order.share, 'write');
      return await inWords(mounted, async () => {
        await using announcement = await announceCapture(mounted.folder);
        const captured = await captureDisk({
          path: pathOf(order.disk),
          store: { ...storeOf(mounted), announcement: announcement.id },
          dataVolumes: [],
        });
        writeFileSync(`${mounted.folder}/captured.caibx`, formatDiskIndex(captured.index));
        return captured.stats;
      });
    }
    case 'end':
      writeFileSync('/run/rekindle/next', 'poweroff');
      setTimeout(() => process.exit(0), 500);
      return { mounts: readFileSync('/proc/mounts', 'utf8').match(/^.* (cifs|nfs4) .*$/gm) ?? [] };
  }
}

const storeOf = ({ folder, description }: MountedShare) =>
  ({ kind: 'directory', path: folder, description }) as const;

async function inWords<Value>(mounted: MountedShare, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw explainShareFailure(mounted, error);
  }
}

async function restore(mounted: MountedShare, device: string, sayAt: number | undefined) {
  const index = parseDiskIndex(readFileSync(`${mounted.folder}/station.caibx`), 'station.caibx');
  const disk = JSON.parse(readFileSync(`${mounted.folder}/disk.json`, 'utf8')) as ImageDisk;
  const plan = planRestore(disk, index, readTargetDisk(device, false, 512));
  if (plan.kind !== 'restore') throw new Error(`no plan: ${plan.kind}`);
  let said = false;
  const { bytes } = await restoreDisk({
    plan,
    path: device,
    source: storeOf(mounted),
    onProgress({ fetchedBytes }) {
      if (said || sayAt === undefined || fetchedBytes < sayAt) return;
      said = true;
      say('reached', fetchedBytes);
    },
  });
  return bytes;
}

/** Where anybody on the machine could read the password while the share is mounted. */
function betrayers(share: Share): string[] {
  if (share.kind !== 'smb') return [];
  const own = `${process.pid}`;
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== own);
  const files = processes.flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]);
  execFileSync('busybox', ['sh', '-c', 'dmesg >/tmp/dmesg']);
  return [...files, '/proc/mounts', '/tmp/dmesg'].filter((file) => {
    try {
      return readFileSync(file, 'utf8').includes(share.password);
    } catch {
      return false;
    }
  });
}

let disks: readonly DiskDevice[] = [];

/** By serial number: which of two disks is sda is different from boot to boot. */
function pathOf(serial: string): string {
  const found = disks.find(({ passportDisk }) => passportDisk.serial === serial);
  if (found === undefined) throw new Error(`no disk has the serial number ${serial}`);
  return found.devicePath;
}

async function main(): Promise<void> {
  execFileSync('busybox', ['stty', '-echo'], { stdio: 'inherit' });
  await waitForInit();
  await loadDriverPack();
  ({ disks } = await takeInventory());
  const address = /probe=(\S+)/.exec(readFileSync('/proc/cmdline', 'utf8'))?.[1] ?? '';
  const card = readdirSync('/sys/class/net').find((name) => name !== 'lo') ?? '';
  execFileSync('busybox', ['ip', 'address', 'add', address, 'dev', card]);
  execFileSync('busybox', ['ip', 'link', 'set', card, 'up']);
  const orders = JSON.parse(readFileSync('/rekindle/site/ca.pem', 'utf8')) as Record<string, Order>;
  say('ready', Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));
  for await (const line of createInterface({ input: process.stdin })) {
    const order = orders[line.trim()];
    if (order === undefined) continue;
    const started = performance.now();
    const seconds = () => Math.round((performance.now() - started) / 100) / 10;
    await obey(order).then(
      (value) => say('done', { seconds: seconds(), value }),
      (error: unknown) =>
        say('failed', {
          seconds: seconds(),
          reasons: errorChain(error),
          next: error instanceof RekindleError ? error.next : undefined,
        }),
    );
  }
}

main().catch((error: unknown) => {
  say('broken', errorChain(error));
  process.exit(1);
});
