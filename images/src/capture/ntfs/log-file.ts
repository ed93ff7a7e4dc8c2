import { applyFixups } from './file-record.ts';

const noClient = 0xffff;
const volumeIsClean = 2;

/**
 * Whether $LogFile says that the volume was left cleanly: a log without restart pages (formatted, or emptied by
 * ntfs-3g), or one whose newer restart area names no client or carries the clean flag.
 * @param bytes the first two pages, 8 KiB
 */
export function isLogFileClean(bytes: Buffer): boolean {
  if (bytes.every((byte) => byte === 0xff)) return true;
  const areas = [bytes.subarray(0, 4096), bytes.subarray(4096, 8192)].flatMap((page) => {
    const area = parseRestartArea(page);
    return area === null ? [] : [area];
  });
  const [newest] = areas.sort((a, b) => (a.lsn < b.lsn ? 1 : -1));
  return newest !== undefined && (newest.clientInUse === noClient || (newest.flags & volumeIsClean) !== 0);
}

function parseRestartArea(page: Buffer): { lsn: bigint; clientInUse: number; flags: number } | null {
  try {
    const fixed = applyFixups(page, 'RSTR');
    const at = fixed.readUInt16LE(0x18);
    return {
      lsn: fixed.readBigUInt64LE(at),
      clientInUse: fixed.readUInt16LE(at + 12),
      flags: fixed.readUInt16LE(at + 14),
    };
  } catch {
    return null;
  }
}
