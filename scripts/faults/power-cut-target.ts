import path from 'node:path';
import { callTool } from '#base/run-tool.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { seededRandom } from '#test/support/random.ts';
import { demoDisk, sha256OfFile, sha256OfRange } from '#test/support/restore-demo-disk.ts';
import {
  type Campaign,
  type CampaignContext,
  createTally,
  forEachPoint,
  share,
  spread,
  type Tally,
} from './campaign.ts';
import { logRun, randomCut } from './lab/power-cut.ts';
import { restoreImage } from './lab/restore-child.ts';
import { runAlone } from './lab/run-alone.ts';
import { type FaultStation, makeStation, restoreJob } from './lab/station.ts';
import { makeCutDisk, type PowerCut } from './lab/write-log.ts';
import { type OldDisk, oldDisks } from './old-disks.ts';

/**
 * Power cut at every write and flush that reached the target disk. What was not flushed survives by chance, whole
 * (lossy) or in part (torn). The disk looks unfinished or is complete; the next restore ends bit-identical; after
 * "done" nothing can be lost any more. dd and casync under the same cut show that the harness sees loss.
 */
const restoreChild = path.join(import.meta.dirname, 'lab/restore-child.ts');
const cutsAfterDone = 10;

export const powerCutTarget: Campaign = {
  name: 'power-cut-target',
  goal: 'power cut at every write of a restore, lossy and torn: never silently wrong, resumes bit-identical; right after "done": intact',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const tally = createTally();
    const { chosen, each } = share(
      ['full old disk', 'data volume survives', 'larger disk'] as const,
      context,
    );
    for (const disk of chosen) await cutRestore(each, station, disk, tally);
    await cutPeers(context, station, tally);
    return tally.result();
  },
};

async function cutRestore(
  context: CampaignContext,
  station: FaultStation,
  scenario: OldDisk,
  tally: Tally,
): Promise<void> {
  const inFolder = (name: string): string => path.join(context.folder, name);
  const [before, reference, target] = ['before.img', 'reference.img', 'target.img'].map(inFolder) as [
    string,
    string,
    string,
  ];
  oldDisks[scenario](before, station);
  const { entries, doneAfter, logFile } = await logRun(
    inFolder(`logged ${scenario}`.replaceAll(' ', '-')),
    before,
    async (device) => {
      const { status, stderr } = await runAlone([
        restoreChild,
        JSON.stringify(restoreJob(station, device, 2)),
      ]);
      if (status !== 0) throw new Error(`the restore failed: ${stderr}`);
    },
  );
  const flushed: PowerCut = { after: entries.length, survives: (write) => write.sizeBytes };
  makeCutDisk(before, logFile, entries, flushed, reference);
  const afterDone = Array.from({ length: cutsAfterDone }, () => doneAfter);
  const cuts = [...Array.from({ length: doneAfter }, (_, n) => n + 1), ...afterDone].flatMap((after) =>
    (['lossy', 'torn'] as const).map((kind) => ({ after, kind })),
  );
  const random = seededRandom(context.seed);
  await forEachPoint(
    context,
    `power cuts, ${scenario}`,
    spread(cuts, context.limit),
    async ({ after, kind }) => {
      const where = `${scenario}, ${kind} cut after entry ${after} of ${doneAfter}`;
      makeCutDisk(before, logFile, entries, randomCut(after, kind, random), target);
      if (after >= doneAfter) {
        if (sha256OfFile(target) === sha256OfFile(reference)) tally.outcome('cut after "done": intact');
        else tally.violation(`${where}: lost after the restore said done`);
        return;
      }
      const same = (other: string): boolean =>
        sha256OfRange(target, demoDisk.root) === sha256OfRange(other, demoDisk.root);
      const looksFinished = readTargetDisk(target, false).table.kind !== 'none';
      if (looksFinished && !same(before) && !same(reference))
        tally.violation(`${where}: the disk looks finished and is not`);
      const job = restoreJob(station, target, 2);
      await restoreImage(job).catch((error: unknown) =>
        tally.violation(`${where}: does not resume: ${String(error)}`),
      );
      if (sha256OfFile(target) !== sha256OfFile(reference))
        tally.violation(`${where}: resumed to other bytes`);
      tally.outcome(
        `${kind} cut: ${looksFinished ? 'before the first or after the last block' : 'looked unfinished'}, resumed`,
      );
    },
  );
}

/** Plain copies, as the control: a harness that saw them survive every cut would see nothing. */
async function cutPeers(context: CampaignContext, station: FaultStation, tally: Tally): Promise<void> {
  const before = path.join(context.folder, 'before.img');
  oldDisks['full old disk'](before, station);
  const chunks = path.join(station.store, 'chunks.castr');
  const seeds = context.limit === undefined ? cutsAfterDone : 3;
  const peers = {
    dd: {
      debianPackage: 'coreutils',
      to: (device: string) => [`if=${station.expected}`, `of=${device}`, 'bs=1M'],
    },
    casync: {
      debianPackage: 'casync',
      to: (device: string) => ['extract', `--store=${chunks}`, station.indexFile, device],
    },
  };
  for (const [command, { debianPackage, to }] of Object.entries(peers)) {
    const { entries, doneAfter, logFile } = await logRun(
      path.join(context.folder, command),
      before,
      async (device) => {
        const { status, stderr } = await callTool('Writing a disk', { command, debianPackage }, to(device));
        if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
      },
    );
    let intact = 0;
    const target = path.join(context.folder, 'target.img');
    for (let seed = 1; seed <= seeds; seed++) {
      makeCutDisk(before, logFile, entries, randomCut(doneAfter, 'lossy', seededRandom(seed)), target);
      if (sha256OfFile(target) === sha256OfFile(station.expected)) intact++;
    }
    tally.figure(
      `control: ${command} without fsync, cut right after its exit 0, intact`,
      `${intact} of ${seeds}`,
    );
    if (intact === seeds) tally.violation(`${command} survived every cut: this harness sees no loss`);
  }
}
