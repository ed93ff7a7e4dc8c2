import { RekindleError } from '#base/errors.ts';
import type { RunReport } from '#contract/run-report.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { formatUtc, type ImageName } from '#images/format/image-name.ts';
import type { Announcement } from '#images/stores/announcement.ts';
import { releaseLeftLocks } from './block/write-lock.ts';
import { createRunView } from './console/run-view.ts';
import type { Terminal } from './console/terminal.ts';
import { texts, titles } from './console/texts.ts';
import { type Ending, type Findings, newFindings } from './engine/findings.ts';
import { startRun } from './engine/run.ts';
import { readingStep } from './engine/step.ts';
import { recoverDisks } from './recover-disks.ts';
import { byRule, parseScope } from './restore/restore-scope.ts';
import { announceRestore } from './steps/announce-restore.ts';
import { assertIdentity } from './steps/check-identity.ts';
import type { SignedImage } from './steps/open-job.ts';
import type { PlannedDisk } from './steps/plan-restore.ts';
import { takePassport } from './steps/start-machine.ts';
import type { Machine } from './workflow-machine.ts';

/** A restore on the machine itself, without the service: the same rules, steps and words. */
export interface LocalRestoreInput {
  readonly machine: Pick<
    Machine,
    'now' | 'uptimeSeconds' | 'takeInventory' | 'bootEntries' | 'openRestoredSystem' | 'readFirstBootFile'
  >;
  readonly terminal: Terminal;
  readonly readImage: () => Promise<SignedImage>;
  /** As typed; the rule when not said. */
  readonly volumes?: string;
  readonly onlyDisk?: string;
  readonly dryRun: boolean;
  /** Who types, for the report. */
  readonly technician: string;
  readonly signal: AbortSignal;
}

export interface LocalRestore {
  readonly ending: Ending;
  readonly findings: Findings;
  readonly steps: RunReport['machine']['steps'];
  readonly image: SignedImage | undefined;
  readonly planned: readonly PlannedDisk[];
}

export async function restoreLocally(input: LocalRestoreInput): Promise<LocalRestore> {
  const { machine, terminal, dryRun, technician, signal } = input;
  const run = startRun(machine, [createRunView(terminal)]);
  const findings = newFindings();
  let image: SignedImage | undefined;
  let planned: readonly PlannedDisk[] = [];
  let announcement: Announcement | undefined;
  const follow = async (): Promise<Ending> => {
    if (!dryRun) await releaseLeftLocks();
    image = await run.step(readLocalImage, { readImage: input.readImage });
    const { manifest } = image;
    const scope = input.volumes === undefined ? byRule : parseScope(input.volumes, manifest.disks);
    const inventory = await run.step(takePassport, { machine });
    findings.passport = inventory.passport;
    const identity = await run.step(assertIdentity, {
      image: image.passport,
      registered: image.passport,
      machine: inventory.passport,
      onRefused: (differences) => {
        findings.differences = differences;
      },
    });
    findings.differences = identity.differences;
    const onUnverified = (sentence: string) => findings.unverified.push(sentence);
    onUnverified('Whether the station needs hooks: none runs without the recovery service.');
    const name = imageNameOf(manifest);
    // A dry run changes nothing, the store included.
    if (!dryRun) announcement = await run.step(announceRestore, { image, name, onUnverified });
    const done = await recoverDisks({
      run,
      terminal,
      machine,
      findings,
      inventory,
      image,
      identity,
      scope,
      dryRun,
      by: { how: 'typed', name: technician },
      signal,
      ...(input.onlyDisk === undefined ? {} : { onlyDisk: input.onlyDisk }),
    });
    planned = done.planned;
    return done.kind === 'dry-run' ? { kind: 'dry-run' } : { kind: 'restored', station: manifest.station };
  };
  const ending = await follow().catch((error: unknown): Ending => ({ kind: 'failed', error }));
  // Who has to start again needs the image again.
  if (ending.kind === 'failed' && findings.wrote) announcement?.leave();
  else await announcement?.[Symbol.asyncDispose]();
  return { ending, findings, steps: [...run.records], image, planned };
}

/** `believeImage` has seen that the manifest is that of the image that was asked for. */
const imageNameOf = ({ station, capturedAt }: ImageManifest): ImageName => ({
  station,
  utc: formatUtc(new Date(capturedAt)),
});

const readLocalImage = readingStep<{ readonly readImage: () => Promise<SignedImage> }, SignedImage>({
  id: 'check-image',
  title: titles['check-image'],
  async run({ readImage }) {
    const image = await readImage();
    return { value: image, sentence: texts.imageSigned(image.manifest.station, image.manifest.capturedAt) };
  },
});

/** @throws RekindleError `target-unfit`: the run was told to use what is no disk */
export function assertBlockDevice(path: string, isBlockDevice: boolean): void {
  if (isBlockDevice) return;
  throw new RekindleError('target-unfit', `Restoring to ${path}: it is no block device`, {
    next: 'Name the disk itself, e.g. /dev/sda. For a file there is rekindle image export.',
  });
}
