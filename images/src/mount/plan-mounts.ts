import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { ImageDisk, Volume } from '../format/image-manifest.ts';
import { fileSystems, type MountWay, withoutFiles } from './file-systems.ts';

export interface PlannedMount {
  readonly volume: Volume;
  readonly folder: string;
  readonly ways: readonly MountWay[];
}

export interface MountPlan {
  readonly mounts: readonly PlannedMount[];
  /** Volumes that give no files, a sentence each. */
  readonly skipped: readonly string[];
}

/**
 * One volume appears at `folder` itself, all of them in folders below it, `volume-<number>`.
 * @throws RekindleError `not-found` (no such volume), `usage` (no volume that can be mounted)
 */
export function planMounts(
  disk: Pick<ImageDisk, 'number' | 'volumes'>,
  folder: string,
  only?: number,
): MountPlan {
  const mounts: PlannedMount[] = [];
  const skipped: string[] = [];
  const wanted = disk.volumes.filter(({ number }) => only === undefined || number === only);
  if (wanted.length === 0)
    throw new RekindleError('not-found', `Disk ${disk.number} has no volume ${only ?? ''}`.trimEnd(), {
      next:
        disk.volumes.length === 0
          ? 'It has no partition table; `rekindle image mount --nbd` hands out the whole disk.'
          : `It has ${disk.volumes.map(describeVolume).join(', ')}.`,
    });
  for (const volume of wanted) {
    const ways = volume.fileSystem === undefined ? undefined : fileSystems[volume.fileSystem];
    if (ways === undefined) skipped.push(`${describeVolume(volume)}: ${whyNot(volume)}.`);
    else
      mounts.push({
        volume,
        folder: only === undefined ? path.join(folder, `volume-${volume.number}`) : folder,
        ways,
      });
  }
  if (mounts.length > 0) return { mounts, skipped };
  throw new RekindleError('usage', `Mounting disk ${disk.number}: no volume gives files`, {
    cause: new Error(skipped.join(' ')),
    next: '`rekindle image mount --nbd` hands out the whole disk.',
  });
}

export function describeVolume({ number, fileSystem, label, name }: Volume): string {
  const what = [fileSystem ?? 'unknown', label ?? name].filter(Boolean).join(' ');
  return `volume ${number} (${what})`;
}

function whyNot({ fileSystem }: Volume): string {
  if (fileSystem === undefined) return 'no file system was recognised in it';
  return withoutFiles[fileSystem] ?? `${fileSystem} is no file system that can be mounted here`;
}
