import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { systemStateEvidence } from '#contract/domain-files.ts';
import type { DomainController, SystemState } from '#contract/hook-kinds/domain-controller.ts';
import type { Evidence, HookRecord, PlanLine } from '#contract/hook-result.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { formatImageRef, type ImageName, parseImageRef, parseUtc } from '#images/format/image-name.ts';
import type { SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { totalBytes } from '#images/format/system-state-room.ts';
import type { SignedStore } from '#images/stores/signed-store.ts';
import { readSystemState } from '#images/stores/system-state-files.ts';
import { forgetCache } from '../../restore/forget-cache.ts';
import type { OpenDrive, WindowsSystem } from '../restored-system.ts';
import { copiedFolder, isPlainComputerName, noteFile } from './copied-state.ts';
import { progressInWords } from './copy-progress.ts';
import { anotherPlace, copySystemState } from './copy-system-state.ts';
import { copiedStateWrong } from './read-copied-state.ts';

/** A system state of the store that goes onto a drive of the restored controller. */
export interface StoredState {
  readonly name: ImageName;
  readonly manifest: SystemStateManifest;
  /** D: */
  readonly drive: string;
}

interface Choice {
  readonly hook: Pick<DomainController, 'id' | 'systemState'>;
  /** The image's. */
  readonly manifest: Pick<ImageManifest, 'station' | 'computerName'>;
  /** Of preflight. */
  readonly earlier: readonly Pick<HookRecord, 'hook' | 'phase' | 'evidence'>[];
  readonly store: SignedStore;
}

/**
 * The one that the preflight has chosen and shown: a newer one that came meanwhile changes nothing.
 * @returns undefined: the plan wants none from the store
 * @throws RekindleError `verification-failed`, `not-found`, `store-unreachable`
 */
export async function readStoredState(choice: Choice): Promise<StoredState | undefined> {
  const { systemState } = choice.hook;
  if (systemState.from !== 'backup-in-store') return undefined;
  const name = chosenName(choice);
  const manifest = await readSystemState(choice.store.source, name, choice.store.key);
  const wrong = whyNotIts(manifest, choice.manifest, systemState);
  if (wrong === undefined) return { name, manifest, drive: systemState.drive };
  throw refuse(wrong);
}

function chosenName({ hook, manifest, earlier }: Choice): ImageName {
  const chosen = earlier
    .filter(({ hook: id, phase }) => id === hook.id && phase === 'preflight')
    .flatMap(({ evidence }) => evidence)
    .find(({ name }) => name === systemStateEvidence)?.value;
  if (chosen === undefined) throw refuse('the preflight names none');
  const name = parseImageRef(chosen);
  if (name.station !== manifest.station || parseUtc(name.utc) === null)
    throw refuse(`the preflight names ${chosen}, the image is one of ${manifest.station}`);
  return { ...name };
}

function whyNotIts(
  { computerName, version, takenAt }: SystemStateManifest,
  image: Pick<ImageManifest, 'computerName'>,
  wanted: SystemState & { from: 'backup-in-store' },
): string | undefined {
  if (computerName.toUpperCase() !== image.computerName.toUpperCase())
    return `it is one of ${computerName}, the image is one of ${image.computerName}`;
  if (wanted.version !== 'latest' && wanted.version !== version)
    return `it is that of ${takenAt}, the plan wants ${wanted.version}`;
  // It stands in a batch file.
  return isPlainComputerName(computerName) ? undefined : `its computer's name is ${computerName}`;
}

const refuse = (why: string): RekindleError =>
  new RekindleError('verification-failed', 'choosing the system state of the restored controller', {
    cause: new Error(why),
    next: 'Look at the system states of this station (rekindle system-state list), and at its hook plan.',
  });

/** What a person reads of it. */
export function storedStateLines({ manifest, drive }: StoredState): PlanLine[] {
  const { takenAt, files, computerName } = manifest;
  const folder = `${drive}${copiedFolder(computerName)}`;
  return [
    {
      kind: 'change',
      sentence: `The system state of ${takenAt} (${formatBytes(totalBytes(files))}) is copied to ${folder}, for SYSTEM and administrators only.`,
    },
    {
      kind: 'needs-person',
      sentence: `The agent removes the copy after the first normal start. Where it cannot (the registry of the backup may not have it), remove ${folder} and ${drive}\\${noteFile} by hand.`,
    },
  ];
}

export const storedStateEvidence = ({ name, drive, manifest }: StoredState): Evidence[] => [
  { name: systemStateEvidence, value: formatImageRef(name) },
  { name: 'its copy', value: `${drive}${copiedFolder(manifest.computerName)}` },
];

interface Work {
  readonly store: SignedStore;
  readonly signal: AbortSignal;
  say(sentence: string): void;
}

/** @throws RekindleError; the signal's reason */
export async function copyToDrive(
  windows: WindowsSystem,
  state: StoredState,
  { store, signal, say }: Work,
): Promise<void> {
  const { source } = store;
  await onDrive(windows, state, ({ root }) => copySystemState({ ...state, source, root, signal, say }));
}

/** From the medium. @returns what is missing, a clause each */
export async function missingOnDrive(
  windows: WindowsSystem,
  state: StoredState,
  { signal, say }: Work,
): Promise<string[]> {
  const { drive, manifest } = state;
  const progress = progressInWords(
    `Reading the system state on ${drive} again`,
    totalBytes(manifest.files),
    say,
  );
  return await onDrive(windows, state, ({ root, disk }) => {
    forgetCache({ ...disk, direct: false });
    return copiedStateWrong(root, manifest, signal, progress);
  });
}

async function onDrive<T>(
  windows: WindowsSystem,
  { drive, manifest }: StoredState,
  use: (open: OpenDrive) => Promise<T>,
): Promise<T> {
  await using open = await windows.openDrive(drive).catch((cause: unknown) => {
    throw new RekindleError('target-unfit', `putting the system state of ${manifest.takenAt} onto ${drive}`, {
      cause,
      next: anotherPlace,
    });
  });
  return await use(open);
}
