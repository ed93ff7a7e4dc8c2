import fs from 'node:fs';
import { publishForVerify } from '../bench-image.ts';
import { atLeast, memoryGoal } from '../goals.ts';
import { type Measured, median, pairedRatio, runInterleaved } from '../measure.ts';
import { factOf, peakMegabytes, type Row, type Scenario } from '../scenario.ts';

export const verifyScenario: Scenario = {
  name: 'verify',
  title: 'image verify against bare loops of zstd and SHA-256 on as many threads',
  async run(lab) {
    const image = await lab.image();
    const engine = await lab.engine();
    const keyFile = await publishForVerify(lab, image);
    try {
      const measured = await runInterleaved(
        [
          { name: 'verify', command: engine('verify', image.store, keyFile) },
          { name: 'bare loops', command: engine('limit', image.store, image.index) },
        ],
        lab.rounds + 2,
        lab.folder,
      );
      return { rows: rowsOf(measured), measured };
    } finally {
      fs.rmSync(`${image.store}/images`, { recursive: true, force: true });
    }
  },
};

/** Without the start of the processes: both clocks begin when there is something to do. */
function rowsOf([verify, limit]: readonly Measured[]): Row[] {
  if (!verify || !limit) return [];
  const [ours, bare] = [factOf(verify, 'seconds'), factOf(limit, 'seconds')];
  return [
    {
      what: 'every chunk read, unpacked and hashed',
      ours: median(ours),
      peer: { name: limit.name, value: median(bare) },
      unit: 's',
      ratio: pairedRatio(bare, ours),
      goal: atLeast(0.9),
    },
    { what: 'peak memory', ours: peakMegabytes(verify), unit: 'MB', goal: memoryGoal },
  ];
}
