import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt, chunkCount, parseDiskIndex } from '#images/format/disk-index.ts';
import { makeSparseFile } from '../bench-disk.ts';
import type { BenchImage, BenchLab } from '../bench-lab.ts';
import { atMost } from '../goals.ts';
import { type Measured, median, pairedRatio, runInterleaved, runOnce } from '../measure.ts';
import { factOf, type Row, type Scenario, secondsOf } from '../scenario.ts';

const everyNth = 100;

export const deltaScenario: Scenario = {
  name: 'delta',
  title: 'Restore onto a disk of which 1 % of the chunks has changed',
  async run(lab) {
    const image = await lab.image();
    const inMemory = await measure(lab, image, lab.file('target.img'), []);
    const onDisk = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-bench-'));
    try {
      const past = await measure(lab, image, path.join(onDisk, 'target.img'), ['iflag=direct']);
      return {
        rows: [...rowsOf('on this machine’s disk', past, true), ...rowsOf('in memory', inMemory, false)],
        measured: [...past.measured, ...inMemory.measured],
      };
    } finally {
      fs.rmSync(onDisk, { recursive: true, force: true });
    }
  },
};

interface Delta {
  readonly changedBytes: number;
  readonly measured: readonly Measured[];
}

async function measure(lab: BenchLab, image: BenchImage, target: string, direct: string[]): Promise<Delta> {
  const disk = await lab.disk();
  const engine = await lab.engine();
  const restore = engine('restore', image.store, image.index, target);
  const index = parseDiskIndex(fs.readFileSync(image.index), image.index);
  const changed = Array.from({ length: chunkCount(index) }, (_, number) => number)
    .map((number) => chunkAt(index, number))
    // Zero chunks are never fetched: they would flatter.
    .filter(({ id, sizeBytes }) => id !== zeroChunkId(sizeBytes))
    .filter((_, number) => number % everyNth === everyNth / 2);
  // A disk has no holes: zeros are written, so that reading them costs what reading costs.
  await runOnce(
    'filling the target',
    ['dd', `if=${disk.disk}`, `of=${target}`, 'bs=1M', 'status=none', 'conv=fsync'],
    lab.folder,
  );
  try {
    const measured = await runInterleaved(
      [
        {
          name: 'reading it once with dd',
          command: ['dd', `if=${target}`, 'of=/dev/null', 'bs=1M', 'status=none', ...direct],
        },
        { name: 'ours', prepare: () => overwrite(target, changed), command: restore },
      ],
      lab.rounds,
      lab.folder,
    );
    return { changedBytes: changed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), measured };
  } finally {
    makeSparseFile(target, 0);
    fs.rmSync(target);
  }
}

function overwrite(target: string, chunks: readonly { startByte: number; sizeBytes: number }[]): void {
  const fd = fs.openSync(target, 'r+');
  try {
    for (const { startByte, sizeBytes } of chunks)
      fs.writeSync(fd, randomBytes(sizeBytes), 0, sizeBytes, startByte);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function rowsOf(where: string, { changedBytes, measured: [reading, ours] }: Delta, judged: boolean): Row[] {
  if (!reading || !ours) return [];
  const fetched = median(factOf(ours, 'fetchedBytes'));
  return [
    {
      what: `fetched, ${where}`,
      ours: fetched / 1e6,
      peer: { name: 'changed', value: changedBytes / 1e6 },
      unit: 'MB',
      ratio: fetched / changedBytes,
      goal: atMost(1.05),
    },
    {
      what: `time, ${where}`,
      ours: median(secondsOf(ours)),
      peer: { name: reading.name, value: median(secondsOf(reading)) },
      unit: 's',
      ratio: pairedRatio(secondsOf(ours), secondsOf(reading)),
      ...(judged ? { goal: atMost(1.3) } : {}),
    },
  ];
}
