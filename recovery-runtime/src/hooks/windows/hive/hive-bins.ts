import { baseBlockBytes, parseBaseBlock } from './base-block.ts';

/**
 * What speaks against taking the bytes for a whole hive, as a clause; null when nothing does. The chain of hive bins
 * has to fill exactly what the base block claims, and the root cell has to be an allocated key.
 */
export function hiveDefect(hive: Buffer): string | null {
  const base = parseBaseBlock(hive);
  if (base === null) return 'it does not begin like a registry hive';
  const end = baseBlockBytes + base.hiveBinsBytes;
  if (base.hiveBinsBytes === 0 || base.hiveBinsBytes % 4096 !== 0)
    return `its base block claims ${base.hiveBinsBytes} bytes of hive bins`;
  if (end > hive.length) return `it is cut off: ${hive.length} bytes of ${end} are there`;
  for (let at = baseBlockBytes; at < end; ) {
    const within = at - baseBlockBytes;
    if (hive.toString('latin1', at, at + 4) !== 'hbin') return `there is no hive bin at byte ${at}`;
    if (hive.readUInt32LE(at + 4) !== within) return `the hive bin at byte ${at} belongs elsewhere`;
    const size = hive.readUInt32LE(at + 8);
    if (size < 4096 || size % 4096 !== 0 || at + size > end)
      return `the hive bin at byte ${at} claims ${size} bytes`;
    at += size;
  }
  const root = baseBlockBytes + base.rootCell;
  const isKey =
    root + 6 <= end && hive.readInt32LE(root) < 0 && hive.toString('latin1', root + 4, root + 6) === 'nk';
  return isKey ? null : 'its root is no key';
}
