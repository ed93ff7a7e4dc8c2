import { RekindleError } from '#base/errors.ts';
import { type HiveFiles, type RecoveredHive, recoverHive } from '../hive/recover-hive.ts';
import { applyEdit, describeEdit, type HivePatch, missingEdits } from './hive-patch.ts';
import { openHive, openHiveForWriting } from './open-hive.ts';

/** What the file of a hive is called that is as it was before the first change by us, beside it. */
export const originalEnding = '.rekindle-original';

/** A hive where it lies: on a mounted NTFS volume, or in a FAT boot partition. */
export interface StoredHive {
  /** SYSTEM, BCD: for sentences. */
  readonly name: string;
  read(): Promise<HiveFiles>;
  /** Puts other bytes in its place, whole or not at all; the original is kept beside it. */
  replace(bytes: Buffer): Promise<void>;
}

/** What became of a hive when a patch was applied. */
export interface HiveChange {
  readonly outcome: 'changed' | 'already-right';
  /** Writes of Windows that were still in the hive's logs and are in the hive now. */
  readonly replayedWrites: number;
  readonly remark: string | null;
}

/** Whole with what its logs held, as libhivex can read it. Writes nothing. @throws RekindleError `verification-failed` */
export async function readStoredHive(
  stored: StoredHive,
): Promise<RecoveredHive & { kind: 'clean' | 'replayed' }> {
  const recovered = recoverHive(await stored.read());
  if (recovered.kind !== 'refused') return recovered;
  throw new RekindleError('verification-failed', `reading the registry hive ${stored.name}`, {
    cause: new Error(recovered.why),
    next: 'Restore an image that was taken while Windows was shut down, or start Windows and let it repair the hive.',
  });
}

/** The edits that the stored hive does not show, its logs taken into account. Writes nothing. */
export async function missingInStoredHive(stored: StoredHive, patch: HivePatch): Promise<string[]> {
  const { hive } = await readStoredHive(stored);
  using opened = openHive(hive, stored.name);
  return missingEdits(opened, patch).map(describeEdit);
}

/**
 * Makes a hive as the patch wants it: replays its logs, applies the patch to a copy, proves the copy, and puts it in
 * place. Twice is like once.
 */
export async function changeStoredHive(stored: StoredHive, patch: HivePatch): Promise<HiveChange> {
  const recovered = await readStoredHive(stored);
  const replayedWrites = recovered.kind === 'replayed' ? recovered.writes : 0;
  const remark = recovered.kind === 'replayed' ? recovered.remark : null;
  const changed = applyPatch(recovered.hive, stored.name, patch);
  if (changed === null && recovered.kind === 'clean')
    return { outcome: 'already-right', replayedWrites, remark };
  await stored.replace(changed ?? recovered.hive);
  const missing = await missingInStoredHive(stored, patch);
  if (missing.length > 0) {
    throw new RekindleError('verification-failed', `changing the registry hive ${stored.name}`, {
      cause: new Error(`read back, it lacks ${missing.join(', ')}`),
      next: `The hive as it was is ${stored.name}${originalEnding}.`,
    });
  }
  return { outcome: 'changed', replayedWrites, remark };
}

/** Null: nothing is missing. */
function applyPatch(bytes: Buffer, name: string, patch: HivePatch): Buffer | null {
  using hive = openHiveForWriting(bytes, name);
  const missing = missingEdits(hive, patch);
  if (missing.length === 0) return null;
  for (const edit of missing) applyEdit(hive, edit);
  const changed = hive.toBytes();
  using again = openHive(changed, name);
  const still = missingEdits(again, patch);
  if (still.length === 0) return changed;
  throw new RekindleError('unexpected', `changing the registry hive ${name}`, {
    cause: new Error(`libhivex wrote it without ${still.map(describeEdit).join(', ')}`),
  });
}
