import { parseGuid } from '#images/format/partition-table/guid.ts';

/** What a device element of a BCD store points at (winload's view of a partition). */
export type BootDevice =
  | { readonly kind: 'gpt'; readonly diskGuid: string; readonly partitionGuid: string }
  /** @property startByte of the partition on the disk with that signature */
  | { readonly kind: 'mbr'; readonly diskSignature: number; readonly startByte: number }
  /** The device that it was started from, a file, memory, a locate entry: nothing that could be compared. */
  | { readonly kind: 'other'; readonly type: number };

const partitionType = 6;
const styles = { gpt: 0, mbr: 1 } as const;

/**
 * Layout as seen in a Windows 11 store: options' GUID, type at 0x10, length at 0x18, partition at 0x20, style at
 * 0x34, disk at 0x38.
 */
export function parseDeviceElement(bytes: Buffer): BootDevice {
  if (bytes.length < 0x14) return { kind: 'other', type: -1 };
  const type = bytes.readUInt32LE(0x10);
  if (type !== partitionType || bytes.length < 0x48) return { kind: 'other', type };
  const style = bytes.readUInt32LE(0x34);
  if (style === styles.gpt) {
    return {
      kind: 'gpt',
      partitionGuid: parseGuid(bytes.subarray(0x20, 0x30)),
      diskGuid: parseGuid(bytes.subarray(0x38, 0x48)),
    };
  }
  if (style !== styles.mbr) return { kind: 'other', type };
  return {
    kind: 'mbr',
    startByte: Number(bytes.readBigUInt64LE(0x20)),
    diskSignature: bytes.readUInt32LE(0x38),
  };
}
