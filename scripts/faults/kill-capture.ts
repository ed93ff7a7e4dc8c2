import fs from 'node:fs';
import path from 'node:path';
import { type PublicKey, parsePublicKey } from '#images/format/minisign.ts';
import { type Campaign, createTally, forEachPoint, spread } from './campaign.ts';
import { detachLoopsOf } from './lab/loop-device.ts';
import { type CaptureJob, captureDemoImage, makeStation } from './lab/station.ts';
import { judgeStore } from './lab/store-judge.ts';
import { listCallPoints, runWithFault } from './lab/traced-run.ts';

/**
 * kill -9 at every write, flush, rename and new folder of a capture and of the publication of its image: no image,
 * or a whole one; no damaged chunk under its name; the next capture reuses what is stored.
 */
const captureChild = path.join(import.meta.dirname, 'lab/capture-child.ts');
const calls = [
  'write',
  'pwrite64',
  'fsync',
  'fdatasync',
  'rename',
  'renameat2',
  'link',
  'mkdir',
  'chmod',
  'unlink',
];

export const killCapture: Campaign = {
  name: 'kill-capture',
  goal: 'kill -9 at every write, flush, rename and mkdir of a capture: no image or a whole one, chunks reused, store consistent',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const key = parsePublicKey(fs.readFileSync(station.publicKeyFile, 'utf8'));
    const store = path.join(context.folder, 'captured-store');
    const { station: disk, secretKeyFile } = station;
    const job: CaptureJob = { disk, store, secretKeyFile, workers: 1 };
    const child = [captureChild, JSON.stringify(job)];
    const emptyStore = (): void => {
      fs.rmSync(store, { recursive: true, force: true });
      fs.mkdirSync(store);
    };
    const tally = createTally();

    emptyStore();
    const { run, points } = await listCallPoints(child, calls, path.join(context.folder, 'trace.log'));
    if (run.status !== 0) throw new Error(`the capture without a fault failed: ${run.stderr}`);
    const complete = await judgeStore(store, key);
    if (complete.whole.length !== 1) throw new Error('the capture without a fault made no whole image');

    let [leftOver, reused] = [0, 0];
    await forEachPoint(
      context,
      'kill at a call of a capture',
      spread(points, context.limit),
      async (point) => {
        const where = `capture killed at ${point.call} ${point.when}`;
        emptyStore();
        const { status } = await runWithFault(child, point, 'signal=KILL');
        await detachLoopsOf(disk);
        const killed = await judgeStore(store, key);
        for (const sentence of [...killed.broken, ...killed.badChunks])
          tally.violation(`${where}: ${sentence}`);
        leftOver = Math.max(leftOver, killed.leftOver);
        if (status === 0) return;
        if (killed.whole.length === 1)
          return tally.outcome('killed behind the last rename: the image is there, and whole');
        const problem = await captureAgain(job, key, complete.chunks - killed.chunks);
        if (problem !== null) return tally.violation(`${where}: ${problem}`);
        reused += killed.chunks;
        tally.outcome(`killed at ${point.call}: no image, the next capture completes`);
      },
    );
    tally.figure('chunks of killed captures that the next ones reused', reused);
    tally.figure('files that a kill leaves behind, at most', leftOver);
    return tally.result();
  },
};

/** @returns null, or why the capture after a kill is not what it has to be */
async function captureAgain(job: CaptureJob, key: PublicKey, missingChunks: number): Promise<string | null> {
  try {
    const { change } = await captureDemoImage(job);
    const { whole, broken, badChunks } = await judgeStore(job.store, key);
    if (whole.length !== 1 || broken.length + badChunks.length > 0)
      return 'the next capture left a damaged store';
    return change.newChunks === missingChunks
      ? null
      : `${missingChunks} chunks were missing, ${change.newChunks} were stored`;
  } catch (error) {
    return `the next capture failed: ${String(error)}`;
  }
}
