import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RekindleError } from '#base/errors.ts';
import type { ChunkId } from '#images/format/chunk-id.ts';
import { diskBytes, distinctChunkIds, parseDiskIndex } from '#images/format/disk-index.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { formatUtc, type ImageName } from '#images/format/image-name.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { checkChunks } from '#images/stores/check-chunks.ts';

/** What a capture job promised, and the manifest must keep. */
export interface ExpectedImage {
  readonly image: ImageName;
  readonly sequence: number;
  readonly previousManifestSha256: string | null;
}

/**
 * Everything that makes an image worth a signature: the manifest is about this job, every file is there with
 * its listed size and hash and no other, the passport is one, every index is whole, and every chunk, read again
 * from the store, is what its id says.
 * @returns what is wrong, a sentence each; empty when the image may be signed
 */
export async function checkCapture(
  store: string,
  folder: string,
  manifest: ImageManifest,
  expected: ExpectedImage,
): Promise<string[]> {
  const problems = [...checkPromise(manifest, expected), ...(await checkFiles(folder, manifest))];
  if (problems.length > 0) return problems;
  problems.push(...(await checkPassport(folder)));
  const ids = new Set<ChunkId>();
  for (const disk of manifest.disks) {
    try {
      const index = parseDiskIndex(await readFile(join(folder, disk.diskIndex)), disk.diskIndex);
      if (index.digest !== 'sha256') problems.push(`${disk.diskIndex} has ids that are not SHA-256`);
      if (diskBytes(index) !== disk.sizeBytes) {
        problems.push(`${disk.diskIndex} covers ${diskBytes(index)} bytes of a disk of ${disk.sizeBytes}`);
      }
      for (const id of distinctChunkIds(index)) ids.add(id);
    } catch (error) {
      if (!(error instanceof RekindleError)) throw error;
      problems.push(error.message);
    }
  }
  return problems.length > 0 ? problems : await checkChunks(store, ids);
}

function checkPromise(manifest: ImageManifest, expected: ExpectedImage): string[] {
  const wrong = (what: string, found: unknown, wanted: unknown) =>
    found === wanted ? [] : [`the manifest's ${what} is ${String(found)}, not ${String(wanted)}`];
  return [
    ...wrong('station', manifest.station, expected.image.station),
    ...wrong('time', formatUtc(new Date(manifest.capturedAt)), expected.image.utc),
    ...wrong('sequence number', manifest.sequence, expected.sequence),
    ...wrong('previous manifest', manifest.previousManifestSha256, expected.previousManifestSha256),
  ];
}

async function checkFiles(folder: string, manifest: ImageManifest): Promise<string[]> {
  const listed = new Map(manifest.files.map((file) => [file.name, file]));
  const there = new Set(await readdir(folder).catch((): string[] => []));
  const needed = [...manifest.disks.map(({ diskIndex }) => diskIndex), 'passport.json'];
  const problems = [
    ...needed.filter((name) => !listed.has(name)).map((name) => `the manifest does not list ${name}`),
    ...[...there].filter((name) => !listed.has(name)).map((name) => `${name} was sent but is not listed`),
  ];
  for (const { name, bytes, sha256 } of manifest.files) {
    if (!there.has(name)) {
      problems.push(`${name} is listed but was not sent`);
      continue;
    }
    const file = join(folder, name);
    const { size } = await stat(file);
    if (size !== bytes) problems.push(`${name} has ${size} bytes, the manifest says ${bytes}`);
    else if ((await sha256Of(file)) !== sha256) problems.push(`${name} does not have the listed SHA-256`);
  }
  return problems;
}

/** Found now, on the healthy station, and not by the technician who wants to restore it. */
async function checkPassport(folder: string): Promise<string[]> {
  try {
    hardwarePassportSchema.parse(JSON.parse(await readFile(join(folder, 'passport.json'), 'utf8')));
    return [];
  } catch {
    return ['passport.json is no hardware passport'];
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
