import fs from 'node:fs';
import path from 'node:path';
import { parsePublicKey } from '#images/format/minisign.ts';
import { MiB } from '#test/support/restore-demo-disk.ts';
import {
  type Campaign,
  type CampaignContext,
  createTally,
  forEachPoint,
  share,
  spread,
  type Tally,
} from './campaign.ts';
import { makeExt4, mountOwnFile } from './lab/ext4.ts';
import { runAlone } from './lab/run-alone.ts';
import { type CaptureJob, captureDemoImage, type FaultStation, makeStation } from './lab/station.ts';
import { judgeStore } from './lab/store-judge.ts';
import { listCallPoints, runWithFault } from './lab/traced-run.ts';

/**
 * A capture into a store that is full, or whose flushes, renames and new folders fail. No image, or a whole one; what
 * is stored is consistent and reused; the failure names the store and what to do.
 */
const captureChild = path.join(import.meta.dirname, 'lab/capture-child.ts');
const calls = ['fsync', 'rename', 'mkdir'];
const firstCalls = 200;
const fileSystemBytes = 96 * MiB;

export const failingStore: Campaign = {
  name: 'failing-store',
  goal: 'a capture into a full or failing store: no image or a whole one, the store consistent, the failure says what to do',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const tally = createTally();
    const { chosen, each } = share([failCalls, fillStore], context);
    for (const fail of chosen) await fail(each, station, tally);
    return tally.result();
  },
};

async function failCalls(context: CampaignContext, station: FaultStation, tally: Tally): Promise<void> {
  const store = path.join(context.folder, 'captured-store');
  const { station: disk, secretKeyFile } = station;
  const job: CaptureJob = { disk, store, secretKeyFile, workers: 1 };
  const child = [captureChild, JSON.stringify(job)];
  fs.mkdirSync(store);
  const { run, points } = await listCallPoints(child, calls, path.join(context.folder, 'trace.log'));
  if (run.status !== 0) throw new Error(`the capture without a fault failed: ${run.stderr}`);
  const all = points
    .filter(({ when }) => when <= firstCalls)
    .flatMap((point) => ['EIO', 'ENOSPC'].map((code) => ({ point, code })));
  await forEachPoint(
    context,
    'failing calls of a capture',
    spread(all, context.limit),
    async ({ point, code }) => {
      fs.rmSync(store, { recursive: true });
      fs.mkdirSync(store);
      const { status, stderr } = await runWithFault(child, point, `error=${code}`);
      await judge(`${code} at ${point.call} ${point.when}`, job, station, { status, stderr }, tally);
    },
  );
}

/** A file system with less and less room: the capture runs out of it somewhere else each time. */
async function fillStore(context: CampaignContext, station: FaultStation, tally: Tally): Promise<void> {
  const mountPoint = path.join(context.folder, 'mounted');
  fs.mkdirSync(mountPoint);
  const roomMiB = Array.from({ length: 24 }, (_, n) => n);
  await forEachPoint(context, 'full stores', spread(roomMiB, context.limit), async (room) => {
    await using _ = await mountOwnFile(path.join(context.folder, `store-${room}.img`), mountPoint, (file) =>
      makeExt4(file, fileSystemBytes),
    );
    const [store, ballast] = [path.join(mountPoint, 'store'), path.join(mountPoint, 'ballast')];
    fs.mkdirSync(store);
    const { bavail, bsize } = fs.statfsSync(mountPoint);
    fs.writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - room * MiB)));
    const { station: disk, secretKeyFile } = station;
    const job: CaptureJob = { disk, store, secretKeyFile, workers: 2 };
    const { status, stderr } = await runAlone([captureChild, JSON.stringify(job)]);
    const where = `${room} MiB of room`;
    if (status !== 0 && !/[Ff]ree some space|space and rights/.test(stderr))
      tally.violation(`${where}: the failure does not speak of space: ${stderr}`);
    await judge(where, job, station, { status, stderr }, tally);
    if (status === 0) return;
    fs.rmSync(ballast);
    const { chunks } = await judgeStore(store, keyOf(station));
    // One worker: two may store the same new chunk at once, and count it twice.
    const { change } = await captureDemoImage({ ...job, workers: 1 });
    const after = await judgeStore(store, keyOf(station));
    if (after.whole.length !== 1)
      tally.violation(`${where}: with room again, the capture makes no whole image`);
    if (change.newChunks !== after.chunks - chunks)
      tally.violation(`${where}: stored chunks were not reused`);
  });
}

const keyOf = ({ publicKeyFile }: FaultStation) => parsePublicKey(fs.readFileSync(publicKeyFile, 'utf8'));

async function judge(
  where: string,
  { store }: CaptureJob,
  station: FaultStation,
  { status, stderr }: { status: number | null; stderr: string },
  tally: Tally,
): Promise<void> {
  const { whole, broken, badChunks } = await judgeStore(store, keyOf(station));
  for (const sentence of [...broken, ...badChunks]) tally.violation(`${where}: ${sentence}`);
  if (status === 0 && whole.length !== 1) tally.violation(`${where}: said done without a whole image`);
  if (status === 0) return tally.outcome('done, the image is whole');
  if (status === null) tally.violation(`${where}: ended by a signal`);
  if (!stderr.includes(store)) tally.violation(`${where}: the store is not named: ${stderr}`);
  if (!stderr.includes('Next: '))
    tally.violation(`${where}: nothing is said about what to do next: ${stderr}`);
  tally.outcome(
    whole.length === 0 ? 'refused, no image, store consistent' : 'refused, although the image is whole',
  );
}
