import fs from 'node:fs';
import path from 'node:path';
import { planFor, sha256OfFile } from '#test/support/restore-demo-disk.ts';
import {
  type Campaign,
  type CampaignContext,
  createTally,
  forEachPoint,
  share,
  spread,
  type Tally,
} from './campaign.ts';
import { restoreImage } from './lab/restore-child.ts';
import { type FaultStation, makeStation, restoreJob } from './lab/station.ts';
import { type CallPoint, listCallPoints, runWithFault } from './lab/traced-run.ts';
import { type OldDisk, oldDisks } from './old-disks.ts';

/**
 * Every call of a restore to its disk fails once: with an error, as a write that says it was done and was not, as one
 * that says less was done than asked. Never done with wrong bytes; a failure names disk, bytes, LBA and what to do.
 */
const restoreChild = path.join(import.meta.dirname, 'lab/restore-child.ts');
const firstCalls = 200;
const resumeEvery = 4;

interface Fault {
  readonly name: string;
  readonly calls: readonly string[];
  readonly inject: string;
}

const faults: readonly Fault[] = [
  { name: 'EIO', calls: ['pwrite64', 'pread64', 'fsync'], inject: 'error=EIO' },
  { name: 'ENOSPC', calls: ['pwrite64', 'fsync'], inject: 'error=ENOSPC' },
  { name: 'short write', calls: ['pwrite64'], inject: 'retval=512' },
  { name: 'lost write', calls: ['pwrite64'], inject: 'retval=1048576' },
];

export const failingCalls: Campaign = {
  name: 'failing-calls',
  goal: 'EIO, ENOSPC, short and lost writes and failing flushes at each of the first 200 calls: never done with wrong bytes; device, LBA and next step named',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const tally = createTally();
    const disks = ['full old disk', 'complete but for its first blocks', 'data volume survives'] as const;
    const { chosen, each } = share(disks, context);
    for (const disk of chosen) await failOn(each, station, disk, tally);
    return tally.result();
  },
};

async function failOn(
  context: CampaignContext,
  station: FaultStation,
  disk: OldDisk,
  tally: Tally,
): Promise<void> {
  const inFolder = (name: string): string => path.join(context.folder, name);
  const [before, reference, target] = ['before.img', 'reference.img', 'target.img'].map(inFolder) as [
    string,
    string,
    string,
  ];
  oldDisks[disk](before, station);
  const job = restoreJob(station, target, 1);
  const child = [restoreChild, JSON.stringify(job)];
  fs.copyFileSync(before, target);
  const calls = [...new Set(faults.flatMap((fault) => fault.calls))];
  const { run, points } = await listCallPoints(child, calls, inFolder('trace.log'), { paths: [target] });
  if (run.status !== 0) throw new Error(`the restore without a fault failed: ${run.stderr}`);
  fs.copyFileSync(target, reference);
  const all = faults.flatMap((fault) =>
    points
      .filter(({ call, when }) => fault.calls.includes(call) && when <= firstCalls)
      .map((point) => ({ fault, point })),
  );
  await forEachPoint(
    context,
    `failing calls, ${disk}`,
    spread(all, context.limit),
    async ({ fault, point }, number) => {
      const where = `${disk}, ${fault.name} at ${point.call} ${point.when}`;
      fs.copyFileSync(before, target);
      const { status, stderr } = await runWithFault(child, point, fault.inject, { paths: [target] });
      if (status === 0) {
        const right = sha256OfFile(target) === sha256OfFile(reference);
        if (!right) tally.violation(`${where}: said done with wrong bytes`);
        // A sector that could not be read before the write is written all the same, and read back.
        return tally.outcome(`${fault.name} at ${point.call}: done, and every byte is right`);
      }
      judgeFailure(where, point, target, stderr, tally);
      tally.outcome(`${fault.name} at ${point.call}: refused to call it done`);
      if (number % resumeEvery !== 0) return;
      await restoreImage(job).catch((error: unknown) =>
        tally.violation(`${where}: does not resume: ${String(error)}`),
      );
      if (sha256OfFile(target) !== sha256OfFile(reference))
        tally.violation(`${where}: resumed to other bytes`);
    },
  );
  // The plan is made from what is on the disk: a data volume that survives is in it.
  if (disk === 'data volume survives' && planFor(station, target).kept.length !== 1)
    tally.violation(`${disk}: the data volume is not kept`);
}

function judgeFailure(
  where: string,
  { call }: CallPoint,
  target: string,
  stderr: string,
  tally: Tally,
): void {
  if (!stderr.includes(target)) tally.violation(`${where}: the device is not named: ${stderr}`);
  if (call !== 'fsync' && !/bytes? \d+.*LBA \d+/.test(stderr))
    tally.violation(`${where}: no LBA is named: ${stderr}`);
  if (!stderr.includes('Next: '))
    tally.violation(`${where}: nothing is said about what to do next: ${stderr}`);
  if (/\n\s+at /.test(stderr)) tally.violation(`${where}: a stack trace instead of a sentence: ${stderr}`);
}
