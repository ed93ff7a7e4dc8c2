import type { DiskBytes } from './disk-bytes.ts';

/** Master boot record with its four entries, and the chain of extended boot records behind one of them. */

export interface MbrEntry {
  /** 1 to 4 primary, from 5 logical, as Linux counts. */
  readonly number: number;
  readonly type: number;
  readonly firstLba: number;
  readonly sectors: number;
}

export type Mbr =
  | {
      readonly valid: true;
      readonly diskSignature: number;
      readonly entries: readonly MbrEntry[];
      readonly protective: boolean;
      /** Beside the protective entry there are others, for systems that know no GPT. */
      readonly hybrid: boolean;
    }
  | { readonly valid: false; readonly reason: string };

const entriesAt = 446;
const protectiveType = 0xee;
const extendedTypes = new Set([0x05, 0x0f, 0x85]);
/** Linux stops at 256 partitions a disk; a longer chain is a loop. */
const logicalLimit = 256;

export function parseMbr(disk: DiskBytes): Mbr {
  const sector = Buffer.from(disk.read(0, disk.sectorBytes));
  if (sector.readUInt16LE(510) !== 0xaa55) return { valid: false, reason: 'no boot signature in LBA 0' };
  const slots = readSlots(sector);
  // A volume boot record carries the same signature; its boot code is no table.
  const plausible = slots.every((slot) => slot.status === 0 || slot.status === 0x80);
  if (!plausible)
    return { valid: false, reason: 'LBA 0 is the boot record of a file system, not a partition table' };

  const entries: MbrEntry[] = [];
  for (const [index, slot] of slots.entries()) {
    if (slot.type === 0 || slot.sectors === 0 || extendedTypes.has(slot.type)) continue;
    entries.push({ number: index + 1, type: slot.type, firstLba: slot.firstLba, sectors: slot.sectors });
  }
  const logical: MbrEntry[] = [];
  for (const slot of slots) {
    if (!extendedTypes.has(slot.type) || slot.sectors === 0) continue;
    const problem = readLogical(disk, slot.firstLba, logical);
    if (problem !== null) return { valid: false, reason: problem };
  }
  entries.push(...logical);
  return {
    valid: true,
    diskSignature: sector.readUInt32LE(440),
    entries,
    protective: slots.some((slot) => slot.type === protectiveType),
    hybrid: slots.some((slot) => slot.type === protectiveType) && entries.length > 1,
  };
}

/** Adds to `logical`, whose numbers go on from 5: a boot record without a partition takes none, as in Linux. */
function readLogical(disk: DiskBytes, containerLba: number, logical: MbrEntry[]): string | null {
  const seen = new Set<number>();
  for (let lba = containerLba; ; ) {
    if (seen.has(lba) || seen.size >= logicalLimit)
      return `the chain of extended boot records comes back to LBA ${lba}`;
    seen.add(lba);
    if ((lba + 1) * disk.sectorBytes > disk.sizeBytes)
      return `the extended boot record at LBA ${lba} is not on the disk`;
    const record = Buffer.from(disk.read(lba * disk.sectorBytes, disk.sectorBytes));
    if (record.readUInt16LE(510) !== 0xaa55) return `the extended boot record at LBA ${lba} has no signature`;
    const [own, next] = readSlots(record);
    if (own !== undefined && own.type !== 0 && own.sectors > 0) {
      logical.push({
        number: 5 + logical.length,
        type: own.type,
        firstLba: lba + own.firstLba,
        sectors: own.sectors,
      });
    }
    if (next === undefined || next.type === 0 || next.sectors === 0) return null;
    lba = containerLba + next.firstLba;
  }
}

/** The four entries of a boot record, as they stand there. */
export function readSlots(
  sector: Buffer,
): { status: number; type: number; firstLba: number; sectors: number }[] {
  return [0, 1, 2, 3].map((slot) => {
    const at = entriesAt + slot * 16;
    return {
      status: sector.readUInt8(at),
      type: sector.readUInt8(at + 4),
      firstLba: sector.readUInt32LE(at + 8),
      sectors: sector.readUInt32LE(at + 12),
    };
  });
}
