/** `[#########...........]`. Full only when all is done: 99.9 % does not look finished. */
export function progressBar(share: number, cells: number): string {
  const bounded = Math.min(1, Math.max(0, share));
  const full = bounded === 1 ? cells : Math.min(cells - 1, Math.floor(bounded * cells));
  return `[${'#'.repeat(full)}${'.'.repeat(cells - full)}]`;
}

export interface DiskRange {
  readonly startByte: number;
  readonly sizeBytes: number;
  readonly fate: 'overwritten' | 'kept';
}

/**
 * A disk as a bar: `#` will be overwritten, `=` survives, `.` holds nothing that the image knows. Even the
 * smallest range shows as one cell, and where two share a cell the overwritten one shows.
 */
export function diskBar(sizeBytes: number, ranges: readonly DiskRange[], cells: number): string {
  const bar = Array.from({ length: cells }, () => '.');
  const paint = (fate: DiskRange['fate'], mark: string) => {
    for (const range of ranges.filter((each) => each.fate === fate && each.sizeBytes > 0)) {
      const first = Math.min(cells - 1, Math.floor((range.startByte / sizeBytes) * cells));
      const end = Math.ceil(((range.startByte + range.sizeBytes) / sizeBytes) * cells);
      for (let cell = first; cell < Math.min(cells, Math.max(end, first + 1)); cell += 1) bar[cell] = mark;
    }
  };
  paint('kept', '=');
  paint('overwritten', '#');
  return `[${bar.join('')}]`;
}
