import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type ChunkId, chunkIdOf, chunkPath } from '#images/format/chunk-id.ts';
import { distinctChunkIds } from '#images/format/disk-index.ts';
import { diskIndexName, parseImageRef } from '#images/format/image-name.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import {
  imageFolder,
  manifestFile,
  readListedFile,
  readManifest,
  resolveImage,
  signatureFile,
} from '#images/stores/image-folder.ts';
import { openStore } from '#images/stores/open-store.ts';
import { findGrant, mintToken } from '#pxe-server/jobs/token.ts';
import { openState } from '#pxe-server/site/state.ts';
import { captureStation } from '#test/support/capture-image-of.ts';
import { seededRandom } from '#test/support/random.ts';
import { noise, readIndex, run } from '#test/support/restore-demo-disk.ts';
import {
  type Campaign,
  type CampaignContext,
  createTally,
  forEachPoint,
  spread,
  type Tally,
} from './campaign.ts';
import { type FaultStation, makeStation } from './lab/station.ts';

/**
 * Every single-bit flip of what a store keeps. Small files bit for bit; of large ones the ends and some thousand
 * bits between. Refused means: an error that names the chunk or file, and a bad chunk out of the way.
 */
const wholeBelowBytes = 4096;
const bitsOfLargeFiles = 4000;
const endBytes = 64;

export const bitFlips: Campaign = {
  name: 'bit-flips',
  goal: 'every flipped bit of a chunk, index, manifest, signature, passport or token is refused by name; a bad chunk is set aside',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const tally = createTally();
    await flipChunks(context, station, tally);
    await flipImageFiles(context, station, tally);
    await flipToken(context, tally);
    return tally.result();
  },
};

function bitsToFlip(bytes: number, { seed, limit }: CampaignContext): number[] {
  const all = (from: number, to: number): number[] =>
    Array.from({ length: (to - from) * 8 }, (_, n) => from * 8 + n);
  if (bytes <= wholeBelowBytes) return spread(all(0, bytes), limit);
  const random = seededRandom(seed);
  const between = Array.from({ length: bitsOfLargeFiles }, () => Math.floor(random() * bytes * 8));
  return spread([...all(0, endBytes), ...all(bytes - endBytes, bytes), ...between], limit);
}

function flip(bytes: Uint8Array, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return flipped;
}

/** Chunks of each kind that a disk has, and one that casync packed itself. */
function someChunks(
  station: FaultStation,
  folder: string,
): { what: string; id: ChunkId; file: Uint8Array }[] {
  const sizes = [...distinctChunkIds(readIndex(station.indexFile))]
    .map((id) => ({ id, file: fs.readFileSync(path.join(station.store, 'chunks.castr', chunkPath(id))) }))
    .sort((a, b) => a.file.length - b.file.length);
  const at = (share: number) => sizes[Math.floor((sizes.length - 1) * share)];
  const plain = Buffer.from(
    Array.from({ length: 9000 }, (_, n) => 65 + ((n * n) % 17) + (n % 300 === 0 ? 9 : 0)),
  );
  const foreign = path.join(folder, 'foreign');
  fs.writeFileSync(foreign, Buffer.concat([noise('foreign', 500), plain]));
  run('casync', 'make', '--digest=sha256', `--store=${foreign}.castr`, `${foreign}.caibx`, foreign);
  const [foreignId] = distinctChunkIds(readIndex(`${foreign}.caibx`));
  if (foreignId === undefined) throw new Error('casync made an empty index');
  return [
    { what: 'entropy-coded chunk', id: chunkIdOf(plain), file: packChunk(plain) },
    {
      what: 'chunk that casync packed',
      id: foreignId,
      file: fs.readFileSync(path.join(`${foreign}.castr`, chunkPath(foreignId))),
    },
    { what: 'chunk of noise', id: chunkIdOf(noise('n', 3000)), file: packChunk(noise('n', 3000)) },
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
      const chunk = at(share);
      return chunk === undefined ? [] : [{ what: 'chunk of the disk', ...chunk }];
    }),
  ];
}

async function flipChunks(context: CampaignContext, station: FaultStation, tally: Tally): Promise<void> {
  const folder = path.join(context.folder, 'flipped');
  fs.mkdirSync(folder);
  const store = openStore({ kind: 'directory', path: folder });
  for (const { what, id, file } of someChunks(station, context.folder)) {
    const place = path.join(folder, 'chunks.castr', chunkPath(id));
    fs.mkdirSync(path.dirname(place), { recursive: true });
    await forEachPoint(
      context,
      `flipped bits, ${what} of ${file.length} bytes`,
      bitsToFlip(file.length, context),
      async (bit) => {
        fs.writeFileSync(place, flip(file, bit));
        const where = `bit ${bit & 7} of byte ${bit >> 3} of a ${what} (${file.length} bytes)`;
        const outcome = await store.get(id).catch((error: unknown) => error);
        if (outcome instanceof Uint8Array) {
          // zstd's tables of codes have bits that stand for nothing: the content was hashed and is right.
          if (chunkIdOf(outcome) === id)
            tally.outcome('chunk: content proved right although a bit of its packing differs');
          else tally.violation(`${where}: wrong content was handed out`);
          return;
        }
        if (!namesIt(outcome, id))
          tally.violation(`${where}: refused without naming the chunk: ${String(outcome)}`);
        if (fs.existsSync(place) || !fs.existsSync(`${place}.bad`))
          tally.violation(`${where}: not set aside`);
        tally.outcome('chunk: refused by name and set aside');
      },
    );
  }
  await store.close();
}

const namesIt = (error: unknown, name: string): boolean =>
  error instanceof RekindleError && error.code === 'verification-failed' && error.message.includes(name);

async function flipImageFiles(context: CampaignContext, station: FaultStation, tally: Tally): Promise<void> {
  const key = parsePublicKey(fs.readFileSync(station.publicKeyFile, 'utf8'));
  const name = await resolveImage(station.store, parseImageRef(station.ref));
  const { manifest } = await readManifest(station.store, name, key);
  for (const file of [manifestFile, signatureFile, diskIndexName(captureStation, 0), 'passport.json']) {
    const place = path.join(imageFolder(station.store, name), file);
    const bytes = fs.readFileSync(place);
    const commentEnd = file === signatureFile ? bytes.indexOf('\n') : 0;
    await forEachPoint(context, `flipped bits, ${file}`, bitsToFlip(bytes.length, context), async (bit) => {
      fs.writeFileSync(place, flip(bytes, bit));
      try {
        if (file === manifestFile || file === signatureFile) await readManifest(station.store, name, key);
        else await readListedFile(station.store, name, manifest, file);
        if (bit >> 3 < commentEnd)
          tally.outcome('signature: untrusted comment, which minisign leaves unsigned and nobody shows');
        else tally.violation(`bit ${bit & 7} of byte ${bit >> 3} of ${file} went unnoticed`);
      } catch (error) {
        const wanted = file === manifestFile || file === signatureFile ? station.ref : file;
        if (!namesIt(error, wanted)) tally.violation(`bit ${bit} of ${file}: not named: ${String(error)}`);
        tally.outcome(`${file}: refused by name`);
      }
    });
    fs.writeFileSync(place, bytes);
  }
}

async function flipToken(context: CampaignContext, tally: Tally): Promise<void> {
  const state = openState(':memory:');
  const token = mintToken(state, {
    kind: 'job',
    technician: 'erika',
    how: 'technician',
    station: captureStation,
    job: 'job-1',
    expiresAt: 1000,
  });
  const bytes = Buffer.from(token);
  await forEachPoint(context, 'flipped bits, token', bitsToFlip(bytes.length, context), (bit) => {
    if (findGrant(state, flip(bytes, bit).toString('latin1'), 0) !== undefined)
      tally.violation(`bit ${bit} of a token went unnoticed`);
    else tally.outcome('token: refused');
  });
  if (findGrant(state, token, 0) === undefined) tally.violation('the token itself is refused');
  state.close();
}
