import { crc32 } from 'node:zlib';
import { RekindleError } from '#base/errors.ts';
import type { DiskBytes } from './disk-bytes.ts';
import { type GptCopy, gptHeaderOffsets, parseGptCopy } from './gpt.ts';

/**
 * A GPT for a disk of another size: the backup moves to the new end, both headers point at each other, the
 * entries stay byte for byte (UEFI 2.10, 5.3.2).
 */
export interface RelocatedGpt {
  /** LBA 0 to the end of the primary entries. */
  readonly primary: Uint8Array;
  /** Backup entries and header; its last byte is the disk's last. */
  readonly backup: Uint8Array;
  readonly backupStartByte: number;
  /** The image's primary copy is damaged: this one was made of its backup. */
  readonly madeFromBackup: boolean;
}

/** The two copies as the manifest keeps them. */
export interface KeptGpt {
  /** LBA 0 to the end of the primary entries. */
  readonly primary: Uint8Array;
  /** Backup entries and header, up to the last byte of the disk; empty without them. */
  readonly backup: Uint8Array;
}

/**
 * @throws RekindleError `verification-failed` (neither copy is a GPT), `target-unfit` (a partition would leave the disk)
 */
export function relocateBackupGpt(kept: KeptGpt, sectorBytes: number, sizeBytes: number): RelocatedGpt {
  const { copy, primary, madeFromBackup } = takePrimary(kept, sectorBytes);
  const lastLba = Math.floor(sizeBytes / sectorBytes) - 1;
  const arraySectors = Math.ceil(copy.entryArray.length / sectorBytes);
  const lastUsableLba = lastLba - arraySectors - 1;
  const leaving = copy.entries.find((entry) => entry.lastLba > lastUsableLba);
  if (leaving !== undefined) {
    throw new RekindleError(
      'target-unfit',
      `Moving the backup GPT: partition ${leaving.number} ends at LBA ${leaving.lastLba}, the last usable one would be ${lastUsableLba}`,
      { next: 'Use a disk at least as large as the original.' },
    );
  }

  const newPrimary = Buffer.from(primary);
  const header = Buffer.from(copy.headerBytes);
  header.writeBigUInt64LE(1n, gptHeaderOffsets.myLba);
  if (madeFromBackup) header.writeBigUInt64LE(2n, gptHeaderOffsets.entriesLba);
  header.writeBigUInt64LE(BigInt(lastUsableLba), gptHeaderOffsets.lastUsableLba);
  header.writeBigUInt64LE(BigInt(lastLba), gptHeaderOffsets.alternateLba);
  seal(header).copy(newPrimary, sectorBytes);
  resizeProtectiveMbr(newPrimary, lastLba);

  const backup = Buffer.alloc((arraySectors + 1) * sectorBytes);
  backup.set(copy.entryArray, 0);
  header.writeBigUInt64LE(BigInt(lastLba), gptHeaderOffsets.myLba);
  header.writeBigUInt64LE(1n, gptHeaderOffsets.alternateLba);
  header.writeBigUInt64LE(BigInt(lastLba - arraySectors), gptHeaderOffsets.entriesLba);
  seal(header).copy(backup, arraySectors * sectorBytes);
  const backupStartByte = (lastLba - arraySectors) * sectorBytes;
  return { primary: newPrimary, backup, backupStartByte, madeFromBackup };
}

type WholeCopy = Extract<GptCopy, { valid: true }>;

/** The primary copy; where it is damaged, one made of the backup, its entries at LBA 2. */
function takePrimary(
  { primary, backup }: KeptGpt,
  sectorBytes: number,
): { copy: WholeCopy; primary: Uint8Array; madeFromBackup: boolean } {
  const copy = parseGptCopy(bytesAt(primary, 0, sectorBytes), 1);
  if (copy.valid) return { copy, primary, madeFromBackup: false };
  const second = backup.length < 2 * sectorBytes ? copy : parseBackup(backup, sectorBytes);
  if (!second.valid || (second.header.firstUsableLba - 2) * sectorBytes < second.entryArray.length) {
    throw new RekindleError(
      'verification-failed',
      `Moving the backup GPT: the image's primary GPT is not valid: ${copy.reason}`,
      { next: 'Choose another image of the station.' },
    );
  }
  const made = Buffer.alloc(second.header.firstUsableLba * sectorBytes);
  made.set(primary.subarray(0, sectorBytes));
  protect(made);
  made.set(second.entryArray, 2 * sectorBytes);
  return { copy: second, primary: made, madeFromBackup: true };
}

/** Its header, in the last sector, says where the disk ended. */
function parseBackup(backup: Uint8Array, sectorBytes: number): GptCopy {
  const header = Buffer.from(backup.slice(backup.length - sectorBytes));
  const myLba = Number(header.readBigUInt64LE(gptHeaderOffsets.myLba));
  return parseGptCopy(bytesAt(backup, (myLba + 1) * sectorBytes - backup.length, sectorBytes), myLba);
}

/** A part of a disk, zeros before it. */
function bytesAt(part: Uint8Array, startByte: number, sectorBytes: number): DiskBytes {
  return {
    sizeBytes: startByte + part.length,
    sectorBytes,
    read: (offset, length) =>
      offset < startByte
        ? Buffer.alloc(length)
        : Buffer.from(part.slice(offset - startByte, offset - startByte + length)),
  };
}

/** A GPT counts only behind a protective MBR (UEFI 2.10, 5.2.3): LBA 0 without any signature gets one. */
function protect(primary: Buffer): void {
  if (primary.readUInt16LE(510) === 0xaa55) return;
  primary.fill(0, 446, 510);
  primary.write('00000200eeffffff01000000ffffffff', 446, 'hex');
  primary.writeUInt16LE(0xaa55, 510);
}

function seal(header: Buffer): Buffer {
  header.writeUInt32LE(0, gptHeaderOffsets.headerCrc);
  const size = header.readUInt32LE(gptHeaderOffsets.headerBytes);
  header.writeUInt32LE(crc32(header.subarray(0, size)), gptHeaderOffsets.headerCrc);
  return header;
}

/** Only a protective entry that covers the whole disk follows its size; a hybrid MBR is left as it is. */
function resizeProtectiveMbr(primary: Buffer, lastLba: number): void {
  const at = 446;
  const others = [1, 2, 3].some((slot) => primary.readUInt8(at + slot * 16 + 4) !== 0);
  if (primary.readUInt8(at + 4) !== 0xee || others) return;
  if (primary.readUInt32LE(at + 12) === 0xffffffff && lastLba >= 0xffffffff) return;
  primary.writeUInt32LE(Math.min(lastLba, 0xffffffff), at + 12);
}
