import fs from 'node:fs';
import { makeSparseFile } from '../bench-disk.ts';
import { startBenchServer } from '../bench-server.ts';
import { atMost, memoryGoal } from '../goals.ts';
import { type Measured, median, pairedRatio, runInterleaved } from '../measure.ts';
import { cpuOf, peakMegabytes, type Row, type Scenario, secondsOf } from '../scenario.ts';

export const restoreHttpScenario: Scenario = {
  name: 'restore-http',
  title: 'The same restore from the service over loopback, read-back included, service on the same cores',
  async run(lab) {
    const disk = await lab.disk();
    const image = await lab.image();
    const engine = await lab.engine();
    const target = lab.file('target.img');
    const blank = (): void => makeSparseFile(target, disk.sizeBytes);
    await using server = await startBenchServer(lab, image);
    const contestant = (name: string, store: string) => ({
      ...{ name, prepare: blank },
      command: engine('restore', store, image.index, target),
    });
    try {
      const measured = await runInterleaved(
        [
          contestant('from a folder', image.store),
          contestant('over HTTP', server.http),
          contestant('over HTTPS', server.https),
        ],
        lab.rounds,
        lab.folder,
      );
      return { rows: rowsOf(measured), measured };
    } finally {
      fs.rmSync(target, { force: true });
    }
  },
};

function rowsOf([folder, ...remote]: readonly Measured[]): Row[] {
  if (!folder) return [];
  return remote.flatMap((measured): Row[] => [
    {
      what: measured.name,
      ours: median(secondsOf(measured)),
      peer: { name: folder.name, value: median(secondsOf(folder)) },
      unit: 's',
      ratio: pairedRatio(secondsOf(measured), secondsOf(folder)),
      goal: atMost(1.25),
    },
    {
      what: `${measured.name}, processor time of the client`,
      ours: median(cpuOf(measured)),
      peer: { name: folder.name, value: median(cpuOf(folder)) },
      unit: 'CPU s',
      ratio: pairedRatio(cpuOf(measured), cpuOf(folder)),
    },
    {
      what: `${measured.name}, peak memory of the client`,
      ours: peakMegabytes(measured),
      unit: 'MB',
      goal: memoryGoal,
    },
  ]);
}
