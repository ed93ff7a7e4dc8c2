import fs from 'node:fs';
import path from 'node:path';
import { zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import type { RestorePlan } from '#runtime/restore/restore-plan.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { demoDisk, planFor, sha256OfFile, sha256OfRange } from '#test/support/restore-demo-disk.ts';
import {
  type Campaign,
  type CampaignContext,
  createTally,
  forEachPoint,
  share,
  spread,
  type Tally,
} from './campaign.ts';
import { attachLoop } from './lab/loop-device.ts';
import { type RestoreJob, restoreImage } from './lab/restore-child.ts';
import { type FaultStation, makeStation, restoreJob } from './lab/station.ts';
import { listCallPoints, runWithFault } from './lab/traced-run.ts';
import { type OldDisk, oldDisks } from './old-disks.ts';

/**
 * kill -9 at every write, flush and rename of a restore. Wherever it falls: the disk looks either untouched or
 * unfinished or is complete, the next start ends bit-identical, and what was right is not fetched again.
 */
const restoreChild = path.join(import.meta.dirname, 'lab/restore-child.ts');
const calls = [
  'pwrite64',
  'pwritev',
  'pwritev2',
  'write',
  'fsync',
  'fdatasync',
  'fallocate',
  'ioctl',
  'rename',
];

interface Scenario {
  readonly name: string;
  readonly disk: OldDisk;
  readonly workers: number;
  readonly overHttp?: boolean;
  readonly onLoop?: boolean;
}

const scenarios: readonly Scenario[] = [
  ...(Object.keys(oldDisks) as OldDisk[]).map((disk) => ({ name: disk, disk, workers: 1 })),
  { name: 'two workers', disk: 'full old disk', workers: 2 },
  { name: 'block device', disk: 'full old disk', workers: 1, onLoop: true },
  { name: 'chunks over HTTP', disk: 'full old disk', workers: 1, overHttp: true },
];

export const killRestore: Campaign = {
  name: 'kill-restore',
  goal: 'kill -9 at every write and flush of a restore: never done with wrong bytes, resumes bit-identical, keeps at least 90 % of the verified work',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const tally = createTally();
    const kept: number[] = [];
    const { chosen, each } = share(scenarios, context);
    for (const scenario of chosen) await runScenario(each, station, scenario, tally, kept);
    tally.figure('verified work kept, worst', `${(100 * Math.min(1, ...kept)).toFixed(1)} %`);
    return tally.result();
  },
};

async function runScenario(
  context: CampaignContext,
  station: FaultStation,
  scenario: Scenario,
  tally: Tally,
  kept: number[],
): Promise<void> {
  const inFolder = (name: string): string => path.join(context.folder, name);
  const [template, reference, target] = ['template.img', 'reference.img', 'target.img'].map(inFolder) as [
    string,
    string,
    string,
  ];
  oldDisks[scenario.disk](template, station);
  fs.copyFileSync(template, target);
  await using server = scenario.overHttp ? await disposableServer(station.store) : null;
  await using loop = scenario.onLoop ? await attachLoop(target) : null;
  const job: RestoreJob = {
    ...restoreJob(station, loop?.device ?? target, scenario.workers),
    ...(server === null ? {} : { source: { kind: 'http', url: server.url, token: 'job-token' } as const }),
  };
  const child = [restoreChild, JSON.stringify(job)];
  const paths = [job.target];
  const { run, points } = await listCallPoints(child, calls, inFolder('trace.log'), { paths });
  if (run.status !== 0) throw new Error(`the restore without a fault failed: ${run.stderr}`);
  fs.copyFileSync(target, reference);
  assertReference(station, template, reference, planFor(station, template));

  await forEachPoint(
    context,
    `kill at a call, ${scenario.name}`,
    spread(points, context.limit),
    async (point) => {
      const where = `${scenario.name}, killed at ${point.call} ${point.when}`;
      fs.copyFileSync(template, target);
      const { status, stdout } = await runWithFault(child, point, 'signal=KILL', { paths });
      if (status === 0 || stdout !== '') {
        // The thread that makes that many calls is another one each time; not a fault that was injected.
        if (sha256OfFile(target) !== sha256OfFile(reference))
          tally.violation(`${where}: said done with wrong bytes`);
        return;
      }
      checkLooks(where, { target, template, reference }, tally);
      kept.push(await resume(where, job, station, { target, reference }, tally));
      tally.outcome(`killed at ${point.call}, resumed`);
    },
  );
}

async function disposableServer(folder: string) {
  const server = await serveFolder(folder, true);
  return { url: server.url, [Symbol.asyncDispose]: () => server.close() };
}

/** The reference is judged by casync's copy of the disk, not by what the restore says of itself. */
function assertReference(
  station: FaultStation,
  template: string,
  reference: string,
  plan: RestorePlan,
): void {
  for (const volume of station.disk.volumes) {
    const survived = plan.kept.some((range) => range.startByte === volume.startByte);
    const wanted = sha256OfRange(survived ? template : station.expected, volume);
    if (sha256OfRange(reference, volume) !== wanted)
      throw new Error(`the restore without a fault is wrong in volume ${volume.number}`);
  }
  if (readTargetDisk(reference, false).table.kind !== 'gpt')
    throw new Error('the restore without a fault left no table');
}

/** A disk with a readable table has a system volume that is as it was or as it shall be, nothing between. */
function checkLooks(
  where: string,
  { target, template, reference }: { target: string; template: string; reference: string },
  tally: Tally,
): void {
  if (readTargetDisk(target, false).table.kind === 'none') return;
  const asBefore = sameRange(target, template, demoDisk.root);
  if (!asBefore && !sameRange(target, reference, demoDisk.root))
    tally.violation(`${where}: the disk looks finished and is not`);
}

const sameRange = (a: string, b: string, range: { startByte: number; sizeBytes: number }): boolean =>
  sha256OfRange(a, range) === sha256OfRange(b, range);

/** @returns the share of the right chunks that was not fetched again */
async function resume(
  where: string,
  job: RestoreJob,
  station: FaultStation,
  { target, reference }: { target: string; reference: string },
  tally: Tally,
): Promise<number> {
  const plan = planFor(station, job.target);
  const { rightBytes, wrongBytes } = measureRight(plan, target);
  try {
    const result = await restoreImage(job);
    if (sha256OfFile(target) !== sha256OfFile(reference)) {
      tally.violation(`${where}: the next start said done, but the disk is not the image's`);
    }
    const again = Math.max(0, result.bytes.fetched - wrongBytes);
    const share = rightBytes === 0 ? 1 : 1 - again / rightBytes;
    if (share < 0.9) tally.violation(`${where}: ${again} of ${rightBytes} right bytes were fetched again`);
    return share;
  } catch (error) {
    tally.violation(
      `${where}: the next start failed: ${error instanceof Error ? error.message : String(error)}`,
    );
    return 1;
  }
}

/** Chunks of the plan, zero chunks left out, that are right on the disk now, and those that are not. */
function measureRight(plan: RestorePlan, target: string): { rightBytes: number; wrongBytes: number } {
  const heads = plan.heldBack.heads.flatMap(({ chunks }) => chunks);
  const numbers = new Set([...heads, ...plan.chunks, ...plan.heldBack.tail]);
  let [rightBytes, wrongBytes] = [0, 0];
  for (const number of numbers) {
    const chunk = chunkAt(plan.index, number);
    if (chunk.id === zeroChunkId(chunk.sizeBytes)) continue;
    if (sha256OfRange(target, chunk) === chunk.id) rightBytes += chunk.sizeBytes;
    else wrongBytes += chunk.sizeBytes;
  }
  return { rightBytes, wrongBytes };
}
