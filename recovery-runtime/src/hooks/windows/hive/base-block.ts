/**
 * The first 4096 bytes of a registry hive and of its logs, after the public description of the format by
 * M. Suhanov ("Windows registry file format specification"). Offsets that are not named here are kept as they are.
 */

export const baseBlockBytes = 4096;
/** Logs keep only so much of a base block, and so much is under the checksum. */
export const baseSectorBytes = 512;

export const fileTypes = { primary: 0, oldLog: 1, newLog: 6 } as const;

export interface BaseBlock {
  /** Counted up when a write begins. */
  readonly primarySequence: number;
  /** Counted up when it is over: with both equal and the checksum right, the file is whole. */
  readonly secondarySequence: number;
  /** FILETIME. */
  readonly lastWritten: bigint;
  readonly fileType: number;
  /** From the start of the hive bins, which follow the base block. */
  readonly rootCell: number;
  readonly hiveBinsBytes: number;
  readonly checksumRight: boolean;
}

/** Null: it does not begin like a hive. */
export function parseBaseBlock(bytes: Buffer): BaseBlock | null {
  if (bytes.length < baseSectorBytes || bytes.toString('latin1', 0, 4) !== 'regf') return null;
  return {
    primarySequence: bytes.readUInt32LE(4),
    secondarySequence: bytes.readUInt32LE(8),
    lastWritten: bytes.readBigUInt64LE(12),
    fileType: bytes.readUInt32LE(28),
    rootCell: bytes.readUInt32LE(36),
    hiveBinsBytes: bytes.readUInt32LE(40),
    checksumRight: bytes.readUInt32LE(508) === baseBlockChecksum(bytes),
  };
}

/** XOR of the 127 words before it; 0 and 0xffffffff are never written. */
export function baseBlockChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < 508; at += 4) sum ^= bytes.readUInt32LE(at);
  sum >>>= 0;
  if (sum === 0) return 1;
  return sum === 0xffffffff ? 0xfffffffe : sum;
}

export interface BaseBlockChange {
  readonly sequence: number;
  readonly hiveBinsBytes: number;
}

/** Makes the base block at the start of `hive` one of a primary file that is whole. Changes `hive`. */
export function sealBaseBlock(hive: Buffer, { sequence, hiveBinsBytes }: BaseBlockChange): void {
  hive.writeUInt32LE(sequence, 4);
  hive.writeUInt32LE(sequence, 8);
  hive.writeUInt32LE(fileTypes.primary, 28);
  hive.writeUInt32LE(hiveBinsBytes, 40);
  hive.writeUInt32LE(baseBlockChecksum(hive), 508);
}
