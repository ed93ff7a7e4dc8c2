import { parseGuid } from '#images/format/partition-table/guid.ts';
import type { PlacedVolume } from './locate-windows.ts';
import type { RememberedVolume } from './windows-facts.ts';

/** Whether Windows would give this volume the letter, which it remembers by GUID (GPT) or by disk and place (MBR). */
export function isRemembered(remembered: RememberedVolume, { disk, volume }: PlacedVolume): boolean {
  const { table } = disk;
  return remembered.kind === 'gpt'
    ? parseGuid(remembered.partitionGuidBytes) === volume.partition.partitionGuid
    : table.kind === 'mbr' &&
        table.diskSignature === remembered.diskSignature &&
        volume.partition.startByte === remembered.startByte;
}

export type LocatedDrive =
  | { readonly kind: 'found'; readonly placed: PlacedVolume }
  | { readonly kind: 'not-found'; readonly why: string };

/**
 * The volume that has this letter in the restored Windows. Pure.
 * @param remembered of its registry; null: it remembers no such letter
 */
export function locateDrive(
  letter: string,
  remembered: RememberedVolume | null,
  volumes: readonly PlacedVolume[],
): LocatedDrive {
  if (remembered === null)
    return { kind: 'not-found', why: `its registry gives no volume the letter ${letter}` };
  const [placed, ...others] = volumes.filter((each) => isRemembered(remembered, each));
  if (placed === undefined)
    return { kind: 'not-found', why: `the volume ${letter} is on none of the restored disks` };
  if (others.length > 0)
    return {
      kind: 'not-found',
      why: `${others.length + 1} volumes are ${letter} by what its registry remembers`,
    };
  return { kind: 'found', placed };
}
