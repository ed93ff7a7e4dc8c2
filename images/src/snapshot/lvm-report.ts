import { RekindleError } from '#base/errors.ts';
import type { PhysicalVolume, Segment } from './online-facts.ts';

/** What `pvs` and `lvs` say with `--reportformat json --units b --nosuffix` (lvmreport(7)). */
export const pvFields = 'pv_name,vg_name,vg_extent_size,pe_start,pv_mda_count,vg_free';
export const segmentFields = 'vg_name,lv_name,lv_size,segtype,seg_start,seg_pe_ranges,lv_device_open,lv_role';

type Row = Readonly<Record<string, string>>;

export function parsePhysicalVolumes(json: string): PhysicalVolume[] {
  return rowsOf(json, 'pv')
    .filter((row) => row['vg_name'] !== '')
    .map((row) => ({
      device: text(row, 'pv_name'),
      group: text(row, 'vg_name'),
      extentBytes: number(row, 'vg_extent_size'),
      firstExtentByte: number(row, 'pe_start'),
      metadataAreas: number(row, 'pv_mda_count'),
      groupFreeBytes: number(row, 'vg_free'),
    }));
}

export function parseSegments(json: string): Segment[] {
  return rowsOf(json, 'seg').map((row) => {
    const group = text(row, 'vg_name');
    // Hidden parts of other volumes are in brackets.
    const volume = text(row, 'lv_name').replace(/^\[|\]$/g, '');
    return {
      group,
      volume,
      device: `/dev/${group}/${volume}`,
      volumeBytes: number(row, 'lv_size'),
      type: text(row, 'segtype'),
      open: text(row, 'lv_device_open') === 'open',
      startByte: number(row, 'seg_start'),
      extents: text(row, 'seg_pe_ranges').split(' ').filter(Boolean).flatMap(parseRange),
    };
  });
}

/** `/dev/vda2:0-127`; hidden volumes stand there in the same way and are nobody's device. */
function parseRange(range: string): Segment['extents'][number][] {
  const [, device, first, last] = /^(\/.+):(\d+)-(\d+)$/.exec(range) ?? [];
  if (device === undefined) return [];
  return [{ device, first: Number(first), count: Number(last) - Number(first) + 1 }];
}

function rowsOf(json: string, list: string): Row[] {
  try {
    const { report } = JSON.parse(json) as { report: Record<string, Row[]>[] };
    return report.flatMap((part) => part[list] ?? []);
  } catch (cause) {
    throw new RekindleError('unexpected', 'Reading what LVM says about its volumes', { cause });
  }
}

function text(row: Row, field: string): string {
  const value = row[field];
  if (value === undefined) throw new RekindleError('unexpected', `LVM's report has no ${field}`);
  return value;
}

function number(row: Row, field: string): number {
  const value = Number(text(row, field));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RekindleError('unexpected', `LVM's report has "${row[field]}" for ${field}`);
}
