import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import {
  mediumReports,
  mediumStore,
  type StationTicket,
  stationTicketSchema,
  ticketFile,
} from '#contract/station-ticket.ts';
import { type PublicKey, verifySignature } from '#images/format/minisign.ts';
import { assertDiskFree } from '#runtime/block/assert-disk-free.ts';
import { forgetCache } from '#runtime/restore/forget-cache.ts';
import {
  clusterBytesOfFat,
  copyOntoFat,
  extractFromFat,
  freeBytesOnFat,
  listFat,
  makeFatFolder,
  removeEmptyFolders,
  removeFromFat,
  usedBytesOnFat,
} from './fat-partition.ts';
import { ownDiskLoaders } from './loaders.ts';
import type { MediumFile } from './medium-files.ts';
import type { OwnDiskPartition } from './own-disk-partition.ts';
import { checkContent } from './read-medium.ts';
import { type MediumOrder, stageMedium } from './stage-medium.ts';
import { roomOnFat } from './write-usb-image.ts';

/**
 * The recovery of a station in a partition of its own disk. It is all files: whatever else is in the partition stays
 * as it is, and what was put there is found again by the signed ticket, which is written first.
 */
export async function installMedium(
  order: MediumOrder,
  target: OwnDiskPartition,
  signer: PublicKey,
): Promise<{ readonly bytes: number; readonly files: number }> {
  const work = await mkdtemp(join(tmpdir(), 'rekindle-install-'));
  const doing = `Installing the recovery of ${order.station} into partition ${target.partition.number} of ${target.disk}`;
  try {
    const old = await findInstalled(order.station, target, signer);
    const { fileSystemUuid } = target;
    const staged = await stageMedium(order, work, {
      fileSystemUuid,
      loaders: ownDiskLoaders,
      onOwnDisk: true,
    });
    const files = [...staged.ticket, ...staged.image, ...staged.files];
    // Staging an image takes minutes, in which somebody may have mounted it.
    await assertDiskFree(target.disk, []);
    await assertNothingThere(doing, target, files, old);
    await assertRoom(doing, target, files, old);
    // Only now: whatever was refused above left the station the recovery that it had.
    await removePaths(target, old);
    await copyOntoFat(target, files);
    await makeFatFolder(target, mediumReports, work);
    await flush(target.disk);
    await verify(doing, target, files, { signer, folder: join(work, 'read-back') });
    const bytes = staged.listed.reduce((sum, file) => sum + file.bytes, 0);
    return { bytes, files: staged.listed.length };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Removes what an earlier installation put there, and nothing else; reports of restores stay.
 * @returns whether there was one
 * @throws RekindleError `target-unfit`: the recovery of another station, or not signed by this site
 */
export async function removeInstalled(
  station: string,
  target: OwnDiskPartition,
  signer: PublicKey,
): Promise<boolean> {
  const installed = await findInstalled(station, target, signer);
  await removePaths(target, installed);
  return installed.length > 0;
}

/** Paths of an earlier installation in the order in which they are to go; none without one. */
async function findInstalled(
  station: string,
  target: OwnDiskPartition,
  signer: PublicKey,
): Promise<readonly string[]> {
  const there = await listFat(target);
  if (!there.includes(ticketFile)) return [];
  const ticket = await readTicket(station, target, signer);
  const listed = ticket.files.map(({ path }) => path);
  const store = `${mediumStore}/`;
  // Ticket and signature go last: cut off before that, a second run still knows what is ours.
  return [store, ...listed, ...ticketPaths].filter((path) => there.includes(path));
}

async function removePaths(target: OwnDiskPartition, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  await removeFromFat(target, paths);
  const folders = new Set([...paths, `${mediumReports}/x`].flatMap(foldersAbove));
  await removeEmptyFolders(
    target,
    [...folders].sort((a, b) => b.split('/').length - a.split('/').length),
  );
  await flush(target.disk);
}

/** Beside the files that the ticket lists (stage-medium.ts). */
const ticketPaths = ['boot/ticket.img', `${ticketFile}.minisig`, ticketFile];

function foldersAbove(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' ? [] : [folder, ...foldersAbove(folder)];
}

async function readTicket(
  station: string,
  target: OwnDiskPartition,
  signer: PublicKey,
): Promise<StationTicket> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-ticket-'));
  const what = `partition ${target.partition.number} of ${target.disk}`;
  try {
    await extractFromFat(target, [ticketFile, `${ticketFile}.minisig`], folder);
    const bytes = await readFile(join(folder, ticketFile));
    const signature = await readFile(join(folder, `${ticketFile}.minisig`), 'utf8');
    verifySignature(bytes, signature, signer, `the station ticket in ${what}`);
    const ticket = stationTicketSchema.parse(JSON.parse(bytes.toString('utf8')));
    if (ticket.station === station) return ticket;
    throw new Error(`it is that of ${ticket.station}`);
  } catch (cause) {
    throw new RekindleError('target-unfit', `Looking at the recovery that is in ${what}`, {
      cause,
      next: 'Remove the folder "rekindle" there by hand when nobody needs that recovery any more.',
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function assertNothingThere(
  doing: string,
  target: OwnDiskPartition,
  files: readonly MediumFile[],
  old: readonly string[],
): Promise<void> {
  const others = (await listFat(target)).filter((path) => !old.includes(path));
  const there = new Set(others.map((path) => path.toLowerCase().replace(/\/$/, '')));
  const taken = files.map(({ path }) => path).filter((path) => there.has(path.toLowerCase()));
  if (taken.length === 0) return;
  throw new RekindleError('target-unfit', doing, {
    cause: new Error(`${taken.join(', ')}: there already, and not ours`),
    next: 'Choose another partition.',
  });
}

async function assertRoom(
  doing: string,
  target: OwnDiskPartition,
  files: readonly MediumFile[],
  old: readonly string[],
): Promise<void> {
  const needed = await roomOnFat(files, await clusterBytesOfFat(target));
  const free = (await freeBytesOnFat(target)) + (await usedBytesOnFat(target, old));
  if (free >= needed) return;
  const mib = (bytes: number): number => Math.ceil(bytes / (1024 * 1024));
  throw new RekindleError('target-unfit', doing, {
    cause: new Error(`it needs ${mib(needed)} MiB, and ${Math.floor(free / 1024 / 1024)} MiB are free`),
    next: 'Choose a larger partition, or leave the image out.',
  });
}

async function flush(disk: string): Promise<void> {
  await using handle = await open(disk, 'r+');
  await handle.sync();
}

/** From the medium, not from memory. */
async function verify(
  doing: string,
  target: OwnDiskPartition,
  files: readonly MediumFile[],
  { signer, folder }: { readonly signer: PublicKey; readonly folder: string },
): Promise<void> {
  forgetCache({ path: target.disk, direct: false, isBlockDevice: target.disk.startsWith('/dev/') });
  await extractFromFat(
    target,
    files.map(({ path }) => path),
    folder,
  );
  const { damaged, image } = await checkContent(target.disk, folder, signer);
  const bad = [...damaged, ...(image?.problems ?? [])];
  if (bad.length === 0) return;
  throw new RekindleError('verification-failed', `${doing}: ${bad.join(', ')} was read back differently`, {
    next: 'Check the disk, then install again.',
  });
}
