import { RekindleError } from '#base/errors.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';

/** What of an image is to be restored. */
export type RestoreScope =
  /** The system; data volumes survive where their disk survived. */
  | {
      readonly kind: 'by-rule';
      /** What a person decided about data volumes that are lost with the table (`DataVolumesLost`). */
      readonly lostData?: 'restore' | 'leave';
    }
  /** Every disk as the image has it, data volumes too. */
  | { readonly kind: 'all' }
  /** These volumes and nothing else, not even the partition table. */
  | { readonly kind: 'volumes'; readonly volumes: readonly ChosenVolume[] };

export interface ChosenVolume {
  readonly disk: number;
  readonly number: number;
}

export const byRule: RestoreScope = { kind: 'by-rule' };

/**
 * `all`, or volumes by number, partition name or label, separated by commas: `2`, `PROJECTS`, `1:3` (volume 3
 * of disk 1). Pure.
 * @throws RekindleError `usage`: nothing or more than one volume is called that
 */
export function parseScope(text: string, disks: readonly ImageDisk[]): RestoreScope {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (words.length === 1 && words[0]?.toLowerCase() === 'all') return { kind: 'all' };
  if (words.length === 0) throw noSuchVolume(text, disks, 'no volume is named');
  const known = disks.flatMap((disk) => disk.volumes.map((volume) => ({ disk, volume })));
  const chosen = words.map((word): ChosenVolume => {
    const found = known.filter(({ disk, volume }) => isCalled(word, disk, volume, disks.length === 1));
    const [only, second] = found;
    if (only === undefined) throw noSuchVolume(text, disks, `the image has no volume "${word}"`);
    if (second !== undefined) throw noSuchVolume(text, disks, `${found.length} volumes are called "${word}"`);
    return { disk: only.disk.number, number: only.volume.number };
  });
  const volumes = chosen.filter((each, at) => chosen.findIndex((other) => isSameVolume(each, other)) === at);
  return { kind: 'volumes', volumes };
}

const isSameVolume = (a: ChosenVolume, b: ChosenVolume): boolean =>
  a.disk === b.disk && a.number === b.number;

function isCalled(word: string, disk: ImageDisk, volume: Volume, onlyDisk: boolean): boolean {
  if (word === `${disk.number}:${volume.number}`) return true;
  if (/^\d+$/.test(word)) return onlyDisk && Number(word) === volume.number;
  const names = [volume.name, volume.label ?? ''].map((name) => name.toLowerCase());
  return names.includes(word.toLowerCase());
}

/** `0:3 "PROJECTS" (ntfs)` for each volume of the image. */
export function describeVolumes(disks: readonly ImageDisk[]): string[] {
  return disks.flatMap((disk) =>
    disk.volumes.map((volume) => {
      const name = volume.name || volume.label;
      const fileSystem = volume.fileSystem === undefined ? '' : ` (${volume.fileSystem})`;
      return `${disk.number}:${volume.number}${name ? ` "${name}"` : ''}${fileSystem}`;
    }),
  );
}

function noSuchVolume(text: string, disks: readonly ImageDisk[], why: string): RekindleError {
  return new RekindleError('usage', `Choosing the volumes "${text}": ${why}`, {
    next: `Name them by number, name or label, or "all": ${describeVolumes(disks).join(', ')}.`,
  });
}

/** Numbers of the chosen volumes of one disk, when the scope names volumes. */
export function chosenNumbers(
  scope: Extract<RestoreScope, { kind: 'volumes' }>,
  disk: number,
): readonly number[] {
  return scope.volumes.filter((volume) => volume.disk === disk).map(({ number }) => number);
}
