import fs from 'node:fs';
import path from 'node:path';
import { chunkPath } from '#images/format/chunk-id.ts';
import { chunkAt, type IndexChunk } from '#images/format/disk-index.ts';
import { diskIndexName, parseImageRef } from '#images/format/image-name.ts';
import { imageFolder, manifestFile, resolveImage, signatureFile } from '#images/stores/image-folder.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { captureStation } from '#test/support/capture-image-of.ts';
import { demoDisk, noise, planFor, readIndex, sha256OfFile } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, forEachPoint, spread, type Tally } from './campaign.ts';
import { restoreImage } from './lab/restore-child.ts';
import { runAlone } from './lab/run-alone.ts';
import { type FaultStation, makeStation, restoreJob } from './lab/station.ts';

/**
 * Chunks, index, manifest and signature truncated, emptied, doubled, swapped, missing. The restore refuses before
 * its first write, or stops with a disk that does not look finished; with the good file back it completes.
 */
interface Damage {
  readonly name: string;
  /** @param other bytes of a file of the same kind */
  make(good: Buffer, other: Buffer): Buffer | null;
}

const damages: readonly Damage[] = [
  { name: 'missing', make: () => null },
  { name: 'empty', make: () => Buffer.alloc(0) },
  { name: 'without its last two bytes', make: (good) => good.subarray(0, -2) },
  { name: 'cut in half', make: (good) => good.subarray(0, good.length >> 1) },
  { name: 'twice in one file', make: (good) => Buffer.concat([good, good]) },
  { name: 'swapped with another', make: (_, other) => other },
  { name: 'all zeros', make: (good) => Buffer.alloc(good.length) },
];

interface Victim {
  readonly what: string;
  readonly file: string;
  readonly other: Buffer;
  /** What the refusal has to say. */
  readonly named: string;
}

const restoreChild = path.join(import.meta.dirname, 'lab/restore-child.ts');

export const damagedStore: Campaign = {
  name: 'damaged-store',
  goal: 'truncated, empty, doubled, swapped or missing chunks and image files: refused before any write, or stopped and resumable with another copy',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const tally = createTally();
    const before = path.join(context.folder, 'before.img');
    fs.writeFileSync(before, noise('an older life', demoDisk.sizeBytes));
    const victims = [...chunkVictims(station, before), ...(await fileVictims(station))];
    const points = victims.flatMap((victim) => damages.map((damage) => ({ victim, damage })));
    await forEachPoint(context, 'damages', spread(points, context.limit), (point) =>
      tryDamage(station, before, path.join(context.folder, 'target.img'), point, tally),
    );
    return tally.result();
  },
};

async function tryDamage(
  station: FaultStation,
  before: string,
  target: string,
  { victim, damage }: { readonly victim: Victim; readonly damage: Damage },
  tally: Tally,
): Promise<void> {
  const where = `${victim.what} ${damage.name}`;
  const good = fs.readFileSync(victim.file);
  const bad = damage.make(good, victim.other);
  if (bad === null) fs.rmSync(victim.file);
  else fs.writeFileSync(victim.file, bad);
  fs.copyFileSync(before, target);
  const job = restoreJob(station, target, 2);
  const { status, stderr } = await runAlone([restoreChild, JSON.stringify(job)]);
  if (status === 0) tally.violation(`${where}: the restore said done`);
  if (!stderr.includes(victim.named)) tally.violation(`${where}: the refusal does not name it: ${stderr}`);
  if (!stderr.includes('Next: ')) tally.violation(`${where}: the refusal does not say what to do: ${stderr}`);
  const untouched = sha256OfFile(target) === sha256OfFile(before);
  if (!untouched && readTargetDisk(target, false).table.kind !== 'none')
    tally.violation(`${where}: the disk looks finished`);
  fs.writeFileSync(victim.file, good);
  await restoreImage(job).catch((error: unknown) =>
    tally.violation(`${where}: does not resume: ${String(error)}`),
  );
  if (sha256OfFile(target) !== sha256OfFile(station.expected))
    tally.violation(`${where}: resumed to other bytes`);
  tally.outcome(
    untouched ? 'refused before the first write, then completed' : 'stopped, then resumed with a good copy',
  );
}

/** Chunks of the first blocks, of a system and of a data volume, and of the disk's end. */
function chunkVictims(station: FaultStation, target: string): Victim[] {
  const plan = planFor(station, target);
  const index = readIndex(station.indexFile);
  const fileOf = ({ id }: IndexChunk): string => path.join(station.store, 'chunks.castr', chunkPath(id));
  const large = [...plan.chunks]
    .map((number) => chunkAt(index, number))
    .filter((chunk) => fs.statSync(fileOf(chunk)).size > 100_000);
  const first = (numbers: readonly number[]): IndexChunk[] =>
    numbers.slice(0, 1).map((number) => chunkAt(index, number));
  const chosen = [
    ...first(plan.heldBack.heads[0]?.chunks ?? []).map(
      (chunk) => ['chunk of the first blocks', chunk] as const,
    ),
    ...first(plan.heldBack.tail).map((chunk) => ['chunk of the last blocks', chunk] as const),
    ...large.slice(0, 1).map((chunk) => ['chunk of a system volume', chunk] as const),
    ...large.slice(-1).map((chunk) => ['chunk of a data volume', chunk] as const),
  ];
  const others = large.slice(1, 2).map((chunk) => fs.readFileSync(fileOf(chunk)));
  return chosen.map(([what, chunk]) => ({
    what,
    file: fileOf(chunk),
    named: chunk.id,
    other: others[0] ?? Buffer.alloc(1),
  }));
}

async function fileVictims(station: FaultStation): Promise<Victim[]> {
  const folder = imageFolder(station.store, await resolveImage(station.store, parseImageRef(station.ref)));
  const index = diskIndexName(captureStation, 0);
  const read = (name: string): Buffer => fs.readFileSync(path.join(folder, name));
  const victim = (name: string, named: string, other: Buffer): Victim => ({
    what: name,
    file: path.join(folder, name),
    named,
    other,
  });
  return [
    victim(index, index, read('passport.json')),
    victim(manifestFile, station.ref.replace(/@.*/, ''), read('passport.json')),
    victim(signatureFile, station.ref.replace(/@.*/, ''), fs.readFileSync(station.publicKeyFile)),
  ];
}
