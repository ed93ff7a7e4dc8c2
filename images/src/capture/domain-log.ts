import { type ByteRange, endOf } from '../format/chunk-grid.ts';

/**
 * Domain log of `partclone.<fs> -D`, in the format of ddrescue: lines `position size status`, hexadecimal
 * bytes, `+` for used and `?` for unused. Everything that the log does not call unused counts as used: the
 * last sector of an NTFS partition holds a copy of the boot sector, behind the clusters that the log covers.
 *
 * @returns the unused ranges inside `sizeBytes`, ascending; or why the log is not one
 */
export function parseDomainLog(
  text: string,
  sizeBytes: number,
): readonly ByteRange[] | { readonly problem: string } {
  if (!text.startsWith('# Domain logfile')) return { problem: 'it does not begin as a domain log' };
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  // The first row is the current position of ddrescue, not a range.
  const [position, ...ranges] = rows;
  if (position === undefined || ranges.length === 0) return { problem: 'it lists no range' };
  const unused: ByteRange[] = [];
  let at = 0;
  let used = 0;
  for (const row of ranges) {
    const match = /^(0x[0-9A-Fa-f]+)\s+(0x[0-9A-Fa-f]+)\s+([+?])$/.exec(row);
    if (match === null) return { problem: `line "${row.slice(0, 80)}" is not understood` };
    const range = { startByte: Number(match[1]), sizeBytes: Number(match[2]) };
    if (range.startByte !== at)
      return { problem: `a range starts at ${range.startByte}, the one before ends at ${at}` };
    at = endOf(range);
    if (at > sizeBytes) return { problem: `a range ends at ${at}, the volume has ${sizeBytes} bytes` };
    if (match[3] === '?') unused.push(range);
    else used += range.sizeBytes;
  }
  return used === 0 ? { problem: 'it calls every block unused' } : unused;
}
