import fs from 'node:fs';
import { demoDisk, MiB, noise, writeAt } from '#test/support/restore-demo-disk.ts';
import type { FaultStation } from './lab/station.ts';

const fill = (bytes: number) => (file: string) => fs.writeFileSync(file, noise('an older life', bytes));

export type OldDisk =
  | 'full old disk'
  | 'larger disk'
  | 'smaller disk'
  | 'blank disk'
  | 'complete but for its first blocks'
  | 'data volume survives';

/** What is on the disk before a restore; the same bytes every time. */
export const oldDisks: Readonly<Record<OldDisk, (file: string, station: FaultStation) => void>> = {
  'full old disk': fill(demoDisk.sizeBytes),
  'larger disk': fill(demoDisk.sizeBytes + 5 * MiB),
  'smaller disk': fill(demoDisk.sizeBytes - 3 * MiB - 512),
  'blank disk': (file: string) => {
    fs.writeFileSync(file, '');
    fs.truncateSync(file, demoDisk.sizeBytes);
  },
  'complete but for its first blocks': (file: string, { expected }: FaultStation) => {
    fs.copyFileSync(expected, file);
    writeAt(file, noise('damage', 64 * 1024), 0);
    writeAt(file, noise('damage', 64 * 1024), demoDisk.sizeBytes - 64 * 1024);
  },
  'data volume survives': (file: string, { expected }: FaultStation) => {
    fs.copyFileSync(expected, file);
    writeAt(file, noise('newer project', 3 * MiB), demoDisk.projects.startByte + 10 * MiB);
    writeAt(file, noise('ransom', demoDisk.root.sizeBytes), demoDisk.root.startByte);
  },
};
