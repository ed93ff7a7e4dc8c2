import fs from 'node:fs';
import path from 'node:path';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { demoDisk } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, forEachPoint, spread, type Tally } from './campaign.ts';
import { serveFailingDisk } from './lab/logged-disk.ts';
import { runAlone } from './lab/run-alone.ts';
import { makeStation, restoreJob } from './lab/station.ts';
import { oldDisks } from './old-disks.ts';

/**
 * A real block device with one sector that cannot be written, or a cache that cannot be flushed. The restore is never done, and the LBAs that it names hold the bad one.
 */
const restoreChild = path.join(import.meta.dirname, 'lab/restore-child.ts');
const sectorBytes = 512;
const lastSector = demoDisk.sizeBytes / sectorBytes - 1;

interface BadDisk {
  readonly fails: 'write' | 'flush';
  /** Absent for a flush, which has no place. */
  readonly sector?: number;
}

/** First blocks, note, boot code, both volumes and their edges, the gap behind, both ends of the backup GPT. */
const sectors = [
  ...[0, 1, 2, 33, 40, 2047, 2048, 4095, 6144, 6145, 20_000, 50_000, 96_255, 96_319, 100_000],
  ...[130_000, 178_238, 178_239, 190_000, lastSector - 33, lastSector - 32, lastSector],
];

export const failingDisk: Campaign = {
  name: 'failing-disk',
  goal: 'a block device with a bad sector or a failing cache: never done; the LBAs that are named hold the bad one',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const before = path.join(context.folder, 'before.img');
    oldDisks['full old disk'](before, station);
    const tally = createTally();
    const points: BadDisk[] = [
      { fails: 'flush' },
      ...sectors.map((sector) => ({ fails: 'write', sector }) as const),
    ];
    await forEachPoint(context, 'bad disks', spread(points, context.limit), async (bad, number) => {
      const rules = (bad.fails === 'write' ? ['write', 'write-zeroes', 'discard'] : [bad.fails]).flatMap(
        (type) => [
          '[inject-error]',
          'event = "none"',
          `iotype = "${type}"`,
          'errno = "5"',
          'once = "off"',
          ...(bad.sector === undefined ? [] : [`sector = "${bad.sector}"`]),
        ],
      );
      const folder = path.join(context.folder, `disk-${number}`);
      await using disk = await serveFailingDisk(folder, before, `${rules.join('\n')}\n`);
      const { status, stderr } = await runAlone([
        restoreChild,
        JSON.stringify(restoreJob(station, disk.device, 2)),
      ]);
      judge(bad, disk.device, { status, stderr }, tally);
      if (readTargetDisk(disk.file, false).table.kind !== 'none')
        tally.violation(`bad ${bad.fails} of sector ${bad.sector}: the disk looks finished`);
      tally.outcome(`bad ${bad.fails}: refused to call it done`);
      fs.rmSync(path.join(folder, 'disk.img'), { force: true });
    });
    return tally.result();
  },
};

function judge(
  { fails, sector }: BadDisk,
  device: string,
  { status, stderr }: { status: number; stderr: string },
  tally: Tally,
): void {
  const where = `bad ${fails} of sector ${sector ?? 'any'}`;
  if (status === 0) tally.violation(`${where}: said done`);
  if (!stderr.includes(device)) tally.violation(`${where}: the device is not named: ${stderr}`);
  if (!stderr.includes('Next: '))
    tally.violation(`${where}: nothing is said about what to do next: ${stderr}`);
  const [, first, last] = /LBA (\d+) to (\d+)/.exec(stderr) ?? [];
  if (first === undefined || last === undefined) tally.violation(`${where}: no LBA is named: ${stderr}`);
  else if (
    sector !== undefined &&
    (pageOf(sector) < pageOf(Number(first)) || pageOf(sector) > pageOf(Number(last)))
  )
    tally.violation(`${where}: LBA ${first} to ${last} is named: ${stderr}`);
}

/** The kernel moves whole pages of what goes through its cache: one bad sector fails all eight. */
const pageOf = (sector: number): number => Math.floor((sector * sectorBytes) / 4096);
