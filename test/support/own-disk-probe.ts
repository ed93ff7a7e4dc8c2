/**
 * Stand-in for the runtime's program: the machine's own disk, with the identity that its hardware gives, is captured,
 * damaged, put back by `rekindle restore`, and shown by `casync mkdev`. Bundled into a real runtime by
 * own-disk.test.ts, run nowhere else.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorChain } from '#base/errors.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import { loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { waitForInit } from '#runtime/init/wait-for-init.ts';
import type { DiskDevice } from '#runtime/inventory/disks.ts';
import { type Inventory, takeInventory } from '#runtime/inventory/inventory.ts';
import { restoreCommand } from '#scripts/commands/restore.ts';
import { captureImageOf, captureKey } from './capture-image-of.ts';
import { demoDisk, MiB, noise, writeAt } from './restore-demo-disk.ts';

const say = (what: string, value: unknown): void =>
  void process.stdout.write(`probe ${what} ${JSON.stringify(value)}\n`);
const sh = (script: string): string =>
  execFileSync('busybox', ['sh', '-ec', script], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

/** Which name the kernel gives it differs from boot to boot. */
function diskOf({ disks }: Inventory, serial: string): DiskDevice {
  const found = disks.find(({ passportDisk }) => passportDisk.serial === serial);
  if (found === undefined) throw new Error(`no disk ${serial}: ${JSON.stringify(disks)}`);
  return found;
}

/** @returns the folder of the image in the store */
async function capture({ passport }: Inventory, { devicePath, passportDisk }: DiskDevice): Promise<string> {
  const { name } = await captureImageOf('/mnt/store', [{ path: devicePath, passportDisk }], {
    passport,
    dataVolumes: ['PROJECTS'],
  });
  writeFileSync('/tmp/site.pub', formatPublicKey(captureKey));
  say('captured', { serial: passportDisk.serial, wwn: passportDisk.wwn });
  return `/mnt/store/images/OS-SRV-1A/OS-SRV-1A_${name.utc}`;
}

/** A system that does not start any more, and a data volume that is newer than the image. */
function damage(disk: string): void {
  writeAt(disk, noise('damage', 3 * MiB), demoDisk.root.startByte + MiB);
  writeAt(disk, noise('newer', MiB), demoDisk.projects.startByte + 8 * MiB);
  sh('sync');
}

const restore = (): Promise<unknown> =>
  restoreCommand().parseAsync(
    [
      ...['--store', '/mnt/store', '--image', 'OS-SRV-1A@latest', '--public-key', '/tmp/site.pub'],
      ...['--report', '/mnt/store/report.json'],
    ],
    { from: 'user' },
  );

/** The image as a block device of the kernel, by casync alone. */
async function showWithCasync(folder: string): Promise<void> {
  sh('modprobe nbd');
  const index = `${folder}/OS-SRV-1A_disk0.caibx`;
  const arguments_ = ['mkdev', '--store=/mnt/store/chunks.castr', index, '/dev/nbd0'];
  const casync = spawn('casync', arguments_, { stdio: 'inherit' });
  const ended = once(casync, 'exit');
  const sectors = () => Number(sh('cat /sys/class/block/nbd0/size'));
  for (let tries = 0; sectors() === 0 && tries < 100; tries += 1) await sleep(100);
  say('mkdev', { bytes: sectors() * 512, hash: sh('sha256sum /dev/nbd0').split(' ')[0] });
  casync.kill('SIGTERM');
  await ended;
}

async function scenario(): Promise<void> {
  await waitForInit();
  await loadDriverPack();
  const inventory = await takeInventory();
  const disk = diskOf(inventory, 'OWN-DISK-0001');
  sh(`mkdir -p /mnt/store; mount -t ext4 ${diskOf(inventory, 'STORE-0001').devicePath} /mnt/store`);
  const folder = await capture(inventory, disk);
  damage(disk.devicePath);
  await restore();
  say('restored', {});
  await showWithCasync(folder);
  sh('umount /mnt/store; sync');
  say('end', {});
}

scenario()
  .catch((error: unknown) => say('broken', errorChain(error)))
  .finally(() => {
    writeFileSync('/run/rekindle/next', 'poweroff');
    process.exit(0);
  });
