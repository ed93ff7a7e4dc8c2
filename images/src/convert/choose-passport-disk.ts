import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import type { HardwarePassport, PassportDisk } from '../passport/hardware-passport.ts';
import type { VirtualDisk } from './inspect-virtual-disk.ts';

export interface ChosenDisk {
  readonly source: VirtualDisk;
  readonly passportDisk: PassportDisk;
}

/**
 * Which disk of the station each file is: the slots that the operator named, in the order of the files, or the
 * only disk left (of that size, where there are several). Never by order alone.
 * @returns with sentences about what does not fit
 * @throws RekindleError `target-unfit`: unknown or ambiguous, or the file has other sectors than the disk
 */
export function choosePassportDisks(
  sources: readonly VirtualDisk[],
  { slots, acceptSize }: { readonly slots: readonly string[]; readonly acceptSize: boolean },
  passport: Pick<HardwarePassport, 'disks'>,
): { readonly chosen: readonly ChosenDisk[]; readonly warnings: readonly string[] } {
  const free = new Set(passport.disks.filter(({ removable }) => !removable));
  const refuse = ({ path }: VirtualDisk, why: string): never => {
    const known = passport.disks.map(
      ({ slot, model, sizeBytes }) => `${slot} (${model}, ${sizeBytes} bytes)`,
    );
    throw new RekindleError('target-unfit', `Finding ${path} in the passport: ${why}`, {
      next: `Name its place with --disk-slot, once for each file: ${known.join(', ') || 'the passport has no disk'}.`,
    });
  };
  if (slots.length > 0 && slots.length !== sources.length)
    throw new RekindleError(
      'usage',
      `Importing ${sources.length} files: --disk-slot is given ${slots.length} times`,
      { next: 'Give it once for each file, in their order, or not at all.' },
    );
  const chosen = sources.map((source, number): ChosenDisk => {
    const slot = slots[number];
    const fits = [...free].filter((disk) => slot === undefined || disk.slot === slot);
    const candidates =
      slot === undefined && fits.length > 1
        ? fits.filter(({ sizeBytes }) => sizeBytes === source.sizeBytes)
        : fits;
    const [passportDisk, ...others] = candidates;
    if (passportDisk === undefined)
      return refuse(
        source,
        slot === undefined
          ? `its ${source.sizeBytes} bytes are the size of no disk that is left`
          : `there is no disk at ${slot}, or it is taken`,
      );
    if (others.length > 0) refuse(source, `${candidates.length} disks have its size`);
    if (source.sectorBytes !== undefined && source.sectorBytes !== passportDisk.logicalSectorBytes)
      refuse(
        source,
        `its sectors have ${source.sectorBytes} bytes, those of that disk ${passportDisk.logicalSectorBytes}`,
      );
    free.delete(passportDisk);
    return { source, passportDisk };
  });
  const warnings = chosen.flatMap(({ source, passportDisk }) => sizeDifference(source, passportDisk));
  if (warnings.length > 0 && !acceptSize)
    throw new RekindleError('target-unfit', `Comparing sizes with the passport: ${warnings.join('; ')}`, {
      next: 'A file of Windows Server Backup holds one volume: import it onto an earlier image, DISK:VOLUME=FILE with --base STATION@latest. If the file is the whole disk: --accept-size.',
    });
  return { chosen, warnings };
}

function sizeDifference(
  { path, sizeBytes }: VirtualDisk,
  { slot, model, sizeBytes: own }: PassportDisk,
): string[] {
  if (sizeBytes === own) return [];
  const how =
    sizeBytes > own
      ? 'the restore will refuse a disk of that size unless what lies behind its end is unused'
      : 'the rest of the disk will be left empty';
  return [
    `${path} has ${sizeBytes} bytes (${formatBytes(sizeBytes)}), the disk at ${slot} (${model}) ${own} (${formatBytes(own)}): ${how}`,
  ];
}
