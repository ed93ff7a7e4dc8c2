import { crc32 } from 'node:zlib';
import { RekindleError } from '#base/errors.ts';
import { gptHeaderOffsets, parseGptCopy } from './gpt.ts';

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
}

/**
 * @param primary LBA 0 to the end of the primary entries, as the manifest keeps it
 * @throws RekindleError `verification-failed` (no GPT in `primary`), `target-unfit` (a partition would leave the disk)
 */
export function relocateBackupGpt(primary: Uint8Array, sectorBytes: number, sizeBytes: number): RelocatedGpt {
  const copy = parseGptCopy(
    {
      sizeBytes: primary.length,
      sectorBytes,
      read: (offset, length) => primary.slice(offset, offset + length),
    },
    1,
  );
  if (!copy.valid) {
    throw new RekindleError(
      'verification-failed',
      `Moving the backup GPT: the image's primary GPT is not valid: ${copy.reason}`,
      {
        next: 'Choose another image of the station.',
      },
    );
  }
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
  return { primary: newPrimary, backup, backupStartByte: (lastLba - arraySectors) * sectorBytes };
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
