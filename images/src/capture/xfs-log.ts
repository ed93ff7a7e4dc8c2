import type { ReadVolume } from './ntfs/ntfs-volume.ts';

/**
 * Whether an XFS volume was unmounted cleanly: the newest record of its log is then an unmount record (XFS
 * Algorithms & Data Structures, "Journaling Log"). All numbers are big-endian.
 */
const superblockMagic = 0x58465342;
const recordMagic = 0xfeedbabe;
const blockBytes = 512;
const unmountTransaction = 0x20;
/** XFS limits a log to less than 2 GiB; it is read in pieces of this size. */
const logLimit = 2 ** 31;
const pieceBytes = 1 << 20;
/** A record header describes that much of its record; longer records have more headers. */
const cycleBytes = 32_768;

/** @throws Error: no XFS, an external log, or no record in it */
export function isXfsLogClean(read: ReadVolume, sizeBytes: number): boolean {
  const superblock = Buffer.from(read(0, 512));
  if (superblock.readUInt32BE(0) !== superblockMagic) throw new Error('it has no superblock');
  const fileSystemBlock = superblock.readUInt32BE(4);
  const logStart = superblock.readBigUInt64BE(48);
  const logBytes = superblock.readUInt32BE(96) * fileSystemBlock;
  if (logStart === 0n) throw new Error('its log is on another device');
  // An address is the allocation group, then the block in it in as many bits as `agblklog` says.
  const groupBits = BigInt(superblock.readUInt8(124));
  const groupBlocks = BigInt(superblock.readUInt32BE(84));
  const block = (logStart >> groupBits) * groupBlocks + (logStart & ((1n << groupBits) - 1n));
  const startByte = Number(block) * fileSystemBlock;
  if (logBytes > logLimit || startByte + logBytes > sizeBytes) throw new Error('its log leaves the volume');
  const uuid = superblock.subarray(32, 48);

  let newest: { lsn: bigint; at: number; header: Buffer } | undefined;
  for (let piece = 0; piece < logBytes; piece += pieceBytes) {
    const bytes = Buffer.from(read(startByte + piece, Math.min(pieceBytes, logBytes - piece)));
    for (let at = 0; at < bytes.length; at += blockBytes) {
      if (bytes.readUInt32BE(at) !== recordMagic) continue;
      const header = bytes.subarray(at, at + blockBytes);
      const lsn = header.readBigUInt64BE(16);
      if (!header.subarray(304, 320).equals(uuid)) continue;
      if (newest === undefined || lsn > newest.lsn) newest = { lsn, at: piece + at, header };
    }
  }
  if (newest === undefined) throw new Error('its log has no record');
  const version = newest.header.readUInt32BE(8);
  const headers = version < 2 ? 1 : Math.max(1, Math.ceil(newest.header.readUInt32BE(320) / cycleBytes));
  const operationAt = (newest.at + headers * blockBytes) % logBytes;
  const operation = Buffer.from(read(startByte + operationAt, blockBytes));
  return newest.header.readUInt32BE(40) === 1 && (operation.readUInt8(9) & unmountTransaction) !== 0;
}
