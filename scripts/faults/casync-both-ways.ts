import fs from 'node:fs';
import path from 'node:path';
import { parseDiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { imageFolder, readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { captureImageOf, captureKey, somePassportDisk } from '#test/support/capture-image-of.ts';
import { seededRandom } from '#test/support/random.ts';
import { MiB, makeBlankDisk, noise, run, sha256OfFile, writeAt } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, forEachPoint, type Tally } from './campaign.ts';

/**
 * Random disks both ways: what we capture, `casync extract` puts back; what `casync make` cuts and packs, with any
 * chunk size and digest, our restore puts back. Bit-identical to the disk itself.
 */
const disksInAll = 60;

export const casyncBothWays: Campaign = {
  name: 'casync-both-ways',
  goal: 'random disks, random chunk sizes: casync restores our images, we restore casync’s, bit-identical',
  async run(context) {
    const tally = createTally();
    const random = seededRandom(context.seed);
    const numbers = Array.from({ length: Math.min(context.limit ?? disksInAll, disksInAll) }, (_, n) => n);
    await forEachPoint(context, 'random disks', numbers, async (number) => {
      const folder = path.join(context.folder, String(number));
      fs.mkdirSync(folder);
      const disk = makeRandomDisk(path.join(folder, 'disk.img'), random);
      await ours(folder, disk, tally);
      await theirs(folder, disk, random, tally);
      fs.rmSync(folder, { recursive: true });
    });
    return tally.result();
  },
};

/** 3 to 40 MiB of zeros, noise and text at any place, half of them with a GPT of one to four partitions. */
function makeRandomDisk(file: string, random: () => number): string {
  const below = (limit: number): number => Math.floor(random() * limit);
  const sectors = (3 * MiB) / 512 + below((37 * MiB) / 512);
  makeBlankDisk(file, sectors * 512);
  for (let pieces = below(12); pieces > 0; pieces--) {
    const bytes =
      random() < 0.5 ? noise(`${random()}`, 1 + below(3 * MiB)) : Buffer.alloc(1 + below(3 * MiB), 'text ');
    const at = below(sectors * 512);
    writeAt(file, bytes.subarray(0, sectors * 512 - at), at);
  }
  if (random() < 0.5) return file;
  writeAt(file, Buffer.alloc(34 * 512), 0);
  const options: string[] = [];
  for (let from = 34 + below(3000), number = 1; number <= 4; number++) {
    const to = from + 1 + below(12_000);
    if (to > sectors - 34) break;
    options.push(`--new=${number}:${from}:${to}`);
    from = to + 1 + below(3000);
  }
  if (options.length > 0) run('sgdisk', '--set-alignment=1', ...options, file);
  return file;
}

async function ours(folder: string, disk: string, tally: Tally): Promise<void> {
  const store = path.join(folder, 'ours');
  fs.mkdirSync(store);
  const { size } = fs.statSync(disk);
  const { name } = await captureImageOf(store, [{ path: disk, passportDisk: somePassportDisk(size) }]);
  const { manifest } = await readManifest(store, name, captureKey);
  const [first] = manifest.disks;
  if (first === undefined) throw new Error('the image has no disk');
  const indexFile = path.join(imageFolder(store, name), first.diskIndex);
  const back = path.join(folder, 'by-casync.img');
  run('casync', 'extract', `--store=${path.join(store, 'chunks.castr')}`, indexFile, back);
  if (sha256OfFile(back) !== sha256OfFile(disk))
    tally.violation(`${folder}: casync puts back another disk than was captured`);
  else tally.outcome('ours, put back by casync: identical');
  const bytes = await readListedFile(store, name, manifest, first.diskIndex);
  await putBack(folder, first, bytes, store, disk, 'ours, put back by us', tally);
}

async function theirs(folder: string, disk: string, random: () => number, tally: Tally): Promise<void> {
  const store = path.join(folder, 'theirs');
  fs.mkdirSync(store);
  const average = 2 ** (13 + Math.floor(random() * 9));
  const sizes = `${average / 4}:${average}:${average * 4}`;
  const digest = random() < 0.5 ? 'sha256' : 'sha512-256';
  const indexFile = path.join(folder, 'theirs.caibx');
  const chunks = `--store=${path.join(store, 'chunks.castr')}`;
  run('casync', 'make', `--digest=${digest}`, `--chunk-size=${sizes}`, chunks, indexFile, disk);
  const sizeBytes = fs.statSync(disk).size;
  const described: ImageDisk = {
    number: 0,
    slot: '0000:00:03.0',
    model: 'TEST DISK',
    sizeBytes,
    logicalSectorBytes: 512,
    physicalSectorBytes: 512,
    diskIndex: 'theirs.caibx',
    partitionTable: { kind: 'none', primary: '', backup: '' },
    volumes: [],
  };
  await putBack(
    folder,
    described,
    fs.readFileSync(indexFile),
    store,
    disk,
    `casync’s with ${digest}, put back by us`,
    tally,
  );
}

async function putBack(
  folder: string,
  described: ImageDisk,
  indexBytes: Uint8Array,
  store: string,
  disk: string,
  what: string,
  tally: Tally,
): Promise<void> {
  const target = makeBlankDisk(path.join(folder, 'by-us.img'), described.sizeBytes);
  const plan = planRestore(
    described,
    parseDiskIndex(indexBytes, described.diskIndex),
    readTargetDisk(target, false),
  );
  if (plan.kind !== 'restore')
    return tally.violation(`${folder}: no plan to restore: ${JSON.stringify(plan)}`);
  await restoreDisk({ plan, path: target, source: { kind: 'directory', path: store }, workers: 2 });
  if (sha256OfFile(target) === sha256OfFile(disk)) tally.outcome(`${what}: identical`);
  else tally.violation(`${folder}: ${what}: another disk`);
}
