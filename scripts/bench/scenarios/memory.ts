import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { makeSparseFile } from '../bench-disk.ts';
import { publishForVerify } from '../bench-image.ts';
import type { BenchLab } from '../bench-lab.ts';
import { atMost, memoryGoal } from '../goals.ts';
import { runOnce, type Sample } from '../measure.ts';
import type { Row, Scenario } from '../scenario.ts';

const MiB = 1 << 20;
const GiB = 1024 * MiB;

export const memoryScenario: Scenario = {
  name: 'memory',
  title: 'Sparse disks of 1, 8 and 64 GiB, 1/64 of each is data: peak memory and time',
  async run(lab) {
    const rows: Row[] = [];
    const sizes = lab.quick ? [1, 2, 4] : [1, 8, 64];
    const runs = [];
    for (const gibibytes of sizes)
      runs.push({ gibibytes, samples: await captureAndRestore(lab, gibibytes * GiB) });
    for (const { gibibytes, samples } of runs)
      for (const [task, sample] of Object.entries(samples))
        rows.push({
          what: `${task}, ${gibibytes} GiB`,
          ours: sample.peakBytes / 1e6,
          unit: 'MB',
          goal: memoryGoal,
        });
    const [, middle, largest] = runs;
    if (middle && largest)
      for (const task of ['capture', 'restore', 'verify'] as const) {
        const perGibibyte = (run: typeof largest): number => run.samples[task].seconds / run.gibibytes;
        rows.push({
          what: `${task}, time for a GiB, ${largest.gibibytes} GiB against ${middle.gibibytes} GiB`,
          ours: perGibibyte(largest),
          peer: { name: `at ${middle.gibibytes} GiB`, value: perGibibyte(middle) },
          unit: 's',
          ratio: perGibibyte(largest) / perGibibyte(middle),
          goal: atMost(1.25),
        });
      }
    return { rows };
  },
};

async function captureAndRestore(
  lab: BenchLab,
  sizeBytes: number,
): Promise<{ capture: Sample; restore: Sample; verify: Sample }> {
  const engine = await lab.engine();
  const [disk, target] = [lab.file('sparse.img'), lab.file('target.img')];
  const [store, index] = [lab.file('sparse'), lab.file('sparse.caibx')];
  try {
    makeSparseFile(disk, sizeBytes);
    const fd = fs.openSync(disk, 'r+');
    for (let at = 0; at < sizeBytes; at += 64 * MiB) fs.writeSync(fd, randomBytes(MiB), 0, MiB, at + 7 * MiB);
    fs.closeSync(fd);
    const capture = await runOnce('capture', engine('capture', disk, store, index), lab.folder);
    makeSparseFile(target, sizeBytes);
    const restore = await runOnce('restore', engine('restore', store, index, target), lab.folder);
    fs.rmSync(target);
    const keyFile = await publishForVerify(lab, { store, index });
    const verify = await runOnce('verify', engine('verify', store, keyFile), lab.folder);
    return { capture, restore, verify };
  } finally {
    for (const file of [disk, target, store, index, `${index}.json`])
      fs.rmSync(file, { recursive: true, force: true });
  }
}
