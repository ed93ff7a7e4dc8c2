import fs from 'node:fs';
import { atLeast, memoryGoal } from '../goals.ts';
import { type Contestant, type Measured, median, pairedRatio, runInterleaved } from '../measure.ts';
import { copyPartition, partcloneCaptureLine, shell } from '../peers.ts';
import { cpuOf, factOf, peakMegabytes, type Row, type Scenario, secondsOf } from '../scenario.ts';

export const captureScenario: Scenario = {
  name: 'capture',
  title: 'Capture of the test disk into an empty store',
  async run(lab) {
    const disk = await lab.disk();
    const engine = await lab.engine();
    const [store, index] = [lab.file('captured'), lab.file('captured.caibx')];
    const [peerStore, peerIndex] = [lab.file('peer.castr'), lab.file('peer.caibx')];
    const partition = lab.file('partition.img');
    const partclone = lab.file('partclone.zst');
    await copyPartition(disk, partition);
    const clear = (): void => {
      for (const file of [store, index, peerStore, peerIndex, partclone])
        fs.rmSync(file, { recursive: true, force: true });
    };
    const contestants: Contestant[] = [
      { name: 'ours', prepare: clear, command: engine('capture', disk.disk, store, index) },
      {
        name: 'casync make',
        prepare: clear,
        command: ['casync', 'make', `--store=${peerStore}`, peerIndex, disk.disk],
      },
      {
        name: 'partclone | zstd -3 -T2',
        prepare: clear,
        command: shell(partcloneCaptureLine(partition, partclone)),
      },
    ];
    try {
      const measured = await runInterleaved(contestants, lab.rounds, lab.folder);
      return { rows: rowsOf(measured, fs.statSync(partclone).size), measured };
    } finally {
      clear();
      fs.rmSync(`${index}.json`, { force: true });
      fs.rmSync(partition, { force: true });
    }
  },
};

function rowsOf([ours, casync, partclone]: readonly Measured[], partcloneBytes: number): Row[] {
  if (!ours || !casync || !partclone) return [];
  const against = (peer: Measured, speed: number): Row => ({
    what: `against ${peer.name}`,
    ours: median(secondsOf(ours)),
    peer: { name: peer.name, value: median(secondsOf(peer)) },
    unit: 's',
    ratio: pairedRatio(secondsOf(peer), secondsOf(ours)),
    goal: atLeast(speed),
  });
  return [
    against(casync, 3.5),
    against(partclone, 1.8),
    {
      what: 'processor time',
      ours: median(cpuOf(ours)),
      peer: { name: partclone.name, value: median(cpuOf(partclone)) },
      unit: 'CPU s',
      ratio: pairedRatio(cpuOf(partclone), cpuOf(ours)),
    },
    {
      what: 'stored size',
      ours: median(factOf(ours, 'storedBytes')) / 1e6,
      peer: { name: partclone.name, value: partcloneBytes / 1e6 },
      unit: 'MB',
    },
    {
      what: 'peak memory',
      ours: peakMegabytes(ours),
      unit: 'MB',
      goal: memoryGoal,
    },
  ];
}
