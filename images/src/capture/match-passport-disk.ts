import { RekindleError } from '#base/errors.ts';
import type { HardwarePassport, PassportDisk } from '../passport/hardware-passport.ts';

/** What is known about a device or file that is to be captured. */
export interface SourceDisk {
  readonly path: string;
  readonly sizeBytes: number;
  /** What the device says about itself; a file says nothing. */
  readonly serial?: string;
  readonly wwn?: string;
  /** Serial, WWN or slot of the passport's disk, as the operator named it. */
  readonly named?: string;
}

/**
 * Which disk of the passport each source is. A device is recognised by WWN or serial; a file is what the
 * operator says, or the only disk left of its size. Never by order.
 * @throws RekindleError `target-unfit`: unknown or ambiguous
 */
export function matchPassportDisks(
  sources: readonly SourceDisk[],
  passport: Pick<HardwarePassport, 'disks'>,
): PassportDisk[] {
  const free = new Set(passport.disks.filter(({ removable }) => !removable));
  const found = new Map<SourceDisk, PassportDisk>();
  const take = (source: SourceDisk, disk: PassportDisk): void => {
    free.delete(disk);
    found.set(source, disk);
  };
  for (const source of sources.filter(isKnown)) take(source, findOne(source, free, passport.disks));
  for (const source of sources.filter((each) => !isKnown(each))) {
    const [only, ...others] = [...free].filter(({ sizeBytes }) => sizeBytes === source.sizeBytes);
    if (only === undefined || others.length > 0) {
      throw refuse(
        source,
        only === undefined
          ? `its ${source.sizeBytes} bytes are the size of no disk of the passport that is left`
          : `${others.length + 1} disks of the passport have its size`,
        passport.disks,
      );
    }
    take(source, only);
  }
  return sources.flatMap((source) => found.get(source) ?? []);
}

const isKnown = ({ serial, wwn, named }: SourceDisk): boolean =>
  named !== undefined || serial !== undefined || wwn !== undefined;

function findOne(
  source: SourceDisk,
  free: ReadonlySet<PassportDisk>,
  all: readonly PassportDisk[],
): PassportDisk {
  const { named, serial, wwn } = source;
  const disks = [...free].filter((disk) =>
    named === undefined
      ? (wwn !== undefined && disk.wwn === wwn) || (serial !== undefined && disk.serial === serial)
      : [disk.serial, disk.wwn, disk.slot].includes(named),
  );
  const [only, ...others] = disks;
  if (only === undefined || others.length > 0) {
    const wanted = named ?? serial ?? wwn;
    throw refuse(source, `${disks.length} disks of the passport are "${wanted}" and not taken yet`, all);
  }
  if (only.sizeBytes !== source.sizeBytes) {
    throw refuse(
      source,
      `it has ${source.sizeBytes} bytes, that disk has ${only.sizeBytes}`,
      all,
      'Name or attach the right disk',
    );
  }
  return only;
}

function refuse(
  { path }: SourceDisk,
  why: string,
  disks: readonly PassportDisk[],
  next = `Name the disk of the passport: --disk ${path},SERIAL`,
): RekindleError {
  const known = disks.map(
    ({ slot, model, serial, wwn, sizeBytes }) => `${slot} ${model} ${serial ?? wwn ?? ''} ${sizeBytes} bytes`,
  );
  return new RekindleError('target-unfit', `Finding ${path} in the passport: ${why}`, {
    next: `${next} (the passport has ${known.join('; ') || 'no disk'}).`,
  });
}
