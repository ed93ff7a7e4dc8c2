import {
  ownReportEvidence,
  soleController,
  stateHookRequired,
  verdictEvidence,
} from '#contract/domain-files.ts';
import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { Evidence, HookRecord } from '#contract/hook-result.ts';
import type { Precondition } from '#contract/hook-work.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { ControllerHive } from './read-controller.ts';

/** What three witnesses say of a restored controller before it is touched: manifest, hive and directory. */
export interface ControllerImage {
  readonly hook: Pick<DomainController, 'id' | 'systemState'>;
  readonly manifest: Pick<ImageManifest, 'stationRole' | 'computerName' | 'windows'>;
  /** Of preflight. */
  readonly earlier: readonly Pick<HookRecord, 'hook' | 'evidence'>[];
  readonly windows: { readonly computerName: string; readonly role: string } | null;
  readonly hive: ControllerHive;
}

/** The preflight's verdict on this hook; undefined: it left none. */
export function verdictOf({ hook, earlier }: Pick<ControllerImage, 'hook' | 'earlier'>): string | undefined {
  return earlier
    .filter((record) => record.hook === hook.id)
    .flatMap(({ evidence }) => evidence)
    .find(({ name }) => name === verdictEvidence)?.value;
}

/** May its registry be changed as the plan says? The first contradiction refuses. Pure. */
export function judgeControllerImage(image: ControllerImage): Precondition {
  const verdict = verdictOf(image);
  if (verdict === soleController)
    return { kind: 'skip', reason: 'It is the only controller of its forest: nothing can roll back.' };
  const wrong = contradictionIn(image, verdict);
  if (wrong !== undefined) {
    return {
      kind: 'refuse',
      sentence: `Manifest, registry and directory do not agree that it is a domain controller: ${wrong}.`,
      next: 'Do not start this disk. Find out what the station is; then restore it again, or install a new controller.',
    };
  }
  if (image.hive.notWritable) {
    return {
      kind: 'refuse',
      sentence:
        'Windows had found a USN rollback in this directory before the image was taken (Dsa Not Writable).',
      next: 'Do not start this disk. Restore an older image, or install a new controller beside the living ones.',
    };
  }
  return { kind: 'ready' };
}

function contradictionIn(
  { hook, manifest, windows, hive }: ControllerImage,
  verdict: string | undefined,
): string | undefined {
  if (verdict !== stateHookRequired) return 'the directory was not asked before the restore';
  if (hook.systemState.from === 'only-controller-of-forest')
    return 'the plan says that it is the only controller of its forest, and the directory says otherwise';
  if (manifest.stationRole !== 'domain-controller')
    return `the image's manifest says that it is a ${manifest.stationRole}'s`;
  if (windows?.role !== 'domain-controller')
    return `its registry says that it is a ${windows?.role ?? 'system that is not known'} (ProductType)`;
  if (windows.computerName.toUpperCase() !== manifest.computerName.toUpperCase())
    return `its registry is that of ${windows.computerName}, the image is one of ${manifest.computerName}`;
  if (hive.database === null) return 'its registry names no directory database (Services\\NTDS\\Parameters)';
  return undefined;
}

/** What the report keeps of the hive before the change; the service compares the count afterwards. */
export const controllerEvidence = ({ database, restoreCount, sysvol }: ControllerHive): Evidence[] => [
  { name: 'directory database', value: database ?? 'none' },
  { name: ownReportEvidence.restoreCountBefore, value: String(restoreCount) },
  { name: 'SYSVOL is replicated by', value: sysvol },
];
