import fs from 'node:fs';
import path from 'node:path';
import { type PublicKey, parsePublicKey } from '#images/format/minisign.ts';
import { seededRandom } from '#test/support/random.ts';
import { MiB } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, forEachPoint, spread, type Tally } from './campaign.ts';
import { makeExt4, mountExt4, mountOwnFile } from './lab/ext4.ts';
import { logRun, randomCut } from './lab/power-cut.ts';
import { runAlone } from './lab/run-alone.ts';
import { type CaptureJob, captureDemoImage, makeStation } from './lab/station.ts';
import { judgeStore } from './lab/store-judge.ts';
import { makeCutDisk } from './lab/write-log.ts';

/**
 * Power cut while a capture fills a store on ext4. After each cut the file system is mounted (its journal runs), and
 * everything in the store is read: no image or a whole one, no chunk under its name with other content; an image that
 * was published before the cut is there. Some stores then take the same capture again.
 */
const captureChild = path.join(import.meta.dirname, 'lab/capture-child.ts');
const fileSystemBytes = 96 * MiB;
const captureAgainEvery = 25;
const cutsAfterDone = 10;

export const powerCutStore: Campaign = {
  name: 'power-cut-store',
  goal: 'power cut at every write of a capture to its store, lossy and torn: never an image that lacks something, never a damaged chunk; published means kept',
  async run(context) {
    const inFolder = (name: string): string => path.join(context.folder, name);
    const station = await makeStation(inFolder('station'));
    const key = parsePublicKey(fs.readFileSync(station.publicKeyFile, 'utf8'));
    const [before, mountPoint] = [inFolder('before.img'), inFolder('mounted')];
    fs.mkdirSync(mountPoint);
    await makeExt4(before, fileSystemBytes);
    const { station: disk, secretKeyFile } = station;
    const job = { disk, store: path.join(mountPoint, 'store'), secretKeyFile, workers: 2 };
    const tally = createTally();

    const { entries, doneAfter, logFile } = await logRun(inFolder('logged'), before, async (device, done) => {
      await using _ = await mountExt4(device, mountPoint);
      fs.mkdirSync(job.store);
      const { status, stderr } = await runAlone([captureChild, JSON.stringify(job)]);
      done();
      if (status !== 0) throw new Error(`the capture failed: ${stderr}`);
    });
    const afterDone = Array.from({ length: cutsAfterDone }, () => doneAfter);
    const cuts = [...Array.from({ length: doneAfter }, (_, n) => n + 1), ...afterDone].flatMap((after) =>
      (['lossy', 'torn'] as const).map((kind) => ({ after, kind })),
    );
    const random = seededRandom(context.seed);
    let repaired = 0;
    await forEachPoint(
      context,
      'power cuts of a store',
      spread(cuts, context.limit),
      async ({ after, kind }, number) => {
        const where = `${kind} cut after entry ${after} of ${doneAfter}`;
        await using mounted = await mountOwnFile(inFolder(`cut-${number}.img`), mountPoint, (file) =>
          makeCutDisk(before, logFile, entries, randomCut(after, kind, random), file),
        );
        if (mounted.repaired) repaired++;
        const done = after >= doneAfter;
        const outcome = mounted.repaired
          ? await judgeRepaired(job.store, key)
          : await judgeCut(job.store, key, where, done, tally);
        if (number % captureAgainEvery === 0 && outcome === 'no image')
          await captureAgain(job, key, where, tally);
        tally.outcome(`${kind} cut: ${outcome}`);
      },
    );
    tally.figure('cuts that tore a block of ext4 itself, which needed fsck', repaired);
    tally.figure('writes and flushes of one capture that reached the disk', doneAfter);
    return tally.result();
  },
};

async function judgeCut(
  store: string,
  key: PublicKey,
  where: string,
  done: boolean,
  tally: Tally,
): Promise<string> {
  if (!fs.existsSync(store)) {
    if (done) tally.violation(`${where}: the store is gone`);
    return 'no image';
  }
  const { whole, broken, badChunks } = await judgeStore(store, key);
  for (const sentence of [...broken, ...badChunks]) tally.violation(`${where}: ${sentence}`);
  if (done && whole.length === 0) tally.violation(`${where}: the published image is gone`);
  return whole.length === 0 ? 'no image' : 'the image is whole';
}

/** What fsck left: a listed image is whole, or what it lacks is named. Nothing is taken for good unread. */
async function judgeRepaired(store: string, key: PublicKey): Promise<string> {
  const { whole, broken } = fs.existsSync(store) ? await judgeStore(store, key) : { whole: [], broken: [] };
  if (broken.length > 0) return 'after fsck an image is refused, naming what it lacks';
  return whole.length === 0 ? 'no image' : 'the image is whole';
}

async function captureAgain(job: CaptureJob, key: PublicKey, where: string, tally: Tally): Promise<void> {
  fs.mkdirSync(job.store, { recursive: true });
  try {
    await captureDemoImage(job);
    const { whole } = await judgeStore(job.store, key);
    if (whole.length !== 1) tally.violation(`${where}: the next capture made no whole image`);
  } catch (error) {
    tally.violation(`${where}: the next capture failed: ${String(error)}`);
  }
}
