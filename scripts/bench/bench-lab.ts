import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { type BenchDisk, fullSize, makeBenchDisk, quickSize } from './bench-disk.ts';
import { buildEngine } from './build-engine.ts';
import { runOnce } from './measure.ts';

/** A folder in memory with the test disk and its image, each made when a scenario first asks for it. */
export interface BenchLab {
  readonly folder: string;
  readonly rounds: number;
  readonly quick: boolean;
  file(name: string): string;
  disk(): Promise<BenchDisk>;
  /** Our image of the disk. */
  image(): Promise<BenchImage>;
  /** Starts an engine of ours (engine.ts) as the recovery runtime has it: from a single executable. */
  engine(): Promise<(...args: readonly string[]) => string[]>;
  note(sentence: string): void;
}

/** What `engine.ts capture` leaves behind. */
export interface BenchImage {
  readonly store: string;
  /** Disk index, and beside it what the manifest says of the disk. */
  readonly index: string;
}

/** Disk, its copy for partclone, three images and a written target at once. */
const neededBytes = 9 * 1024 ** 3;

export function openBenchLab(options: {
  quick: boolean;
  note: (sentence: string) => void;
}): BenchLab & Disposable {
  const folder = fs.mkdtempSync(
    path.join(roomyFolder(options.quick ? neededBytes / 8 : neededBytes), 'rekindle-bench-'),
  );
  const file = (name: string): string => path.join(folder, name);
  let disk: Promise<BenchDisk> | undefined;
  let image: Promise<BenchImage> | undefined;
  let executable: Promise<string> | undefined;
  const lab: BenchLab = {
    folder,
    rounds: options.quick ? 2 : 3,
    quick: options.quick,
    file,
    note: options.note,
    disk() {
      disk ??= makeBenchDisk(folder, options.quick ? quickSize : fullSize);
      return disk;
    },
    image() {
      image ??= capture(lab);
      return image;
    },
    async engine() {
      executable ??= buildEngine(folder);
      const file = await executable;
      return (...args) => [file, ...args];
    },
  };
  return { ...lab, [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true, force: true }) };
}

async function capture(lab: BenchLab): Promise<BenchImage> {
  const { disk } = await lab.disk();
  const image = { store: lab.file('store'), index: lab.file('station.caibx') };
  const engine = await lab.engine();
  await runOnce('capturing the test disk', engine('capture', disk, image.store, image.index), lab.folder);
  return image;
}

/** Memory to memory, where there is room: /dev/shm, else the folder for temporary files. */
function roomyFolder(bytes: number): string {
  const inMemory = '/dev/shm';
  for (const folder of [inMemory, os.tmpdir()]) {
    if (!fs.existsSync(folder)) continue;
    const { bavail, bsize } = fs.statfsSync(folder);
    const memory = folder === inMemory ? availableMemory() : Number.POSITIVE_INFINITY;
    if (Math.min(bavail * bsize, memory) > bytes) return folder;
  }
  throw new RekindleError(
    'usage',
    `The benchmarks need ${formatBytes(bytes)} in /dev/shm or ${os.tmpdir()}`,
    {
      next: 'Free some space, or use --quick.',
    },
  );
}

function availableMemory(): number {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(fs.readFileSync('/proc/meminfo', 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}
