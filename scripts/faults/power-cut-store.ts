import fs from 'node:fs';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { type PublicKey, parsePublicKey } from '#images/format/minisign.ts';
import { seededRandom } from '#test/support/random.ts';
import { MiB } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, forEachPoint, spread, type Tally } from './campaign.ts';
import { attachLoop } from './lab/loop-device.ts';
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
    const [before, cutDisk, mountPoint] = ['before.img', 'cut.img', 'mounted'].map(inFolder) as [
      string,
      string,
      string,
    ];
    fs.mkdirSync(mountPoint);
    await makeExt4(before);
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
    await forEachPoint(
      context,
      'power cuts of a store',
      spread(cuts, context.limit),
      async ({ after, kind }, number) => {
        const where = `${kind} cut after entry ${after} of ${doneAfter}`;
        makeCutDisk(before, logFile, entries, randomCut(after, kind, random), cutDisk);
        await using loop = await attachLoop(cutDisk);
        await using _ = await mountExt4(loop.device, mountPoint);
        const outcome = await judgeCut(job.store, key, where, after >= doneAfter, tally);
        if (number % captureAgainEvery === 0 && outcome === 'no image')
          await captureAgain(job, key, where, tally);
        tally.outcome(`${kind} cut: ${outcome}`);
      },
    );
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

async function makeExt4(file: string): Promise<void> {
  fs.writeFileSync(file, '');
  fs.truncateSync(file, fileSystemBytes);
  const options = ['-q', '-F', '-J', 'size=4', '-E', 'lazy_itable_init=0,lazy_journal_init=0'];
  await runTool(`making a file system in ${file}`, { command: 'mkfs.ext4', debianPackage: 'e2fsprogs' }, [
    ...options,
    file,
  ]);
}

async function mountExt4(device: string, mountPoint: string): Promise<AsyncDisposable> {
  await runTool(`mounting ${device}`, { command: 'mount', debianPackage: 'mount' }, [
    '-t',
    'ext4',
    device,
    mountPoint,
  ]);
  return {
    [Symbol.asyncDispose]: async () => {
      await runTool(`unmounting ${mountPoint}`, { command: 'umount', debianPackage: 'mount' }, [mountPoint]);
    },
  };
}
