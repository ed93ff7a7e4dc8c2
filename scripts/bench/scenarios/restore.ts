import fs from 'node:fs';
import { runTool } from '#base/run-tool.ts';
import { makeSparseFile } from '../bench-disk.ts';
import { atLeast, memoryGoal } from '../goals.ts';
import { type Contestant, type Measured, median, pairedRatio, runInterleaved } from '../measure.ts';
import { casync, partcloneCapture, partcloneRestore, shell } from '../peers.ts';
import { cpuOf, factOf, peakMegabytes, type Row, type Scenario, secondsOf } from '../scenario.ts';

export const restoreScenario: Scenario = {
  name: 'restore',
  title: 'Restore of the test disk onto a blank one, verified while writing',
  async run(lab) {
    const disk = await lab.disk();
    const engine = await lab.engine();
    const image = await lab.image();
    const target = lab.file('target.img');
    const peerStore = lab.file('peer.castr');
    const peerIndex = lab.file('peer.caibx');
    const partclone = lab.file('partclone.zst');
    await runTool('making the peer image', casync, ['make', `--store=${peerStore}`, peerIndex, disk.disk]);
    await partcloneCapture(disk, partclone, lab);

    const blank = (): void => makeSparseFile(target, disk.sizeBytes);
    const contestants: Contestant[] = [
      { name: 'ours', prepare: blank, command: engine('restore', image.store, image.index, target) },
      {
        name: 'casync extract',
        prepare: () => fs.rmSync(target, { force: true }),
        command: ['casync', 'extract', `--store=${peerStore}`, peerIndex, target],
      },
      {
        name: 'zstd -d | partclone.restore',
        prepare: blank,
        command: shell(`zstd -dc ${partclone} | ${partcloneRestore(target)}`),
      },
      {
        name: 'dd',
        prepare: blank,
        command: ['dd', `if=${disk.disk}`, `of=${target}`, 'bs=1M', 'conv=notrunc', 'status=none'],
      },
    ];
    try {
      const measured = await runInterleaved(contestants, lab.rounds, lab.folder);
      return { rows: rowsOf(measured), measured };
    } finally {
      for (const file of [target, peerStore, peerIndex, partclone])
        fs.rmSync(file, { recursive: true, force: true });
    }
  },
};

function rowsOf([ours, casyncRuns, partcloneRuns, ddRuns]: readonly Measured[]): Row[] {
  if (!ours || !casyncRuns || !partcloneRuns || !ddRuns) return [];
  const whole = secondsOf(ours);
  const readBack = factOf(ours, 'readBackSeconds');
  const written = whole.map((seconds, round) => seconds - (readBack[round] ?? 0));
  const against = (peer: Measured, figures: number[], what: string, goal?: Row['goal']): Row => ({
    what: `${what}, against ${peer.name}`,
    ours: median(figures),
    peer: { name: peer.name, value: median(secondsOf(peer)) },
    unit: 's',
    ratio: pairedRatio(secondsOf(peer), figures),
    ...(goal === undefined ? {} : { goal }),
  });
  // "Within 1.5x of dd" is at least 1/1.5 of its speed.
  const goals = [atLeast(2), atLeast(3), atLeast(1 / 1.5)];
  return [
    ...[casyncRuns, partcloneRuns, ddRuns].map((peer, number) =>
      against(peer, written, 'written and hashed', goals[number]),
    ),
    ...[casyncRuns, partcloneRuns, ddRuns].map((peer) =>
      against(peer, whole, 'and read back and hashed again'),
    ),
    {
      what: 'processor time, read-back included',
      ours: median(cpuOf(ours)),
      peer: { name: casyncRuns.name, value: median(cpuOf(casyncRuns)) },
      unit: 'CPU s',
      ratio: pairedRatio(cpuOf(casyncRuns), cpuOf(ours)),
    },
    {
      what: 'peak memory',
      ours: peakMegabytes(ours),
      unit: 'MB',
      goal: memoryGoal,
    },
  ];
}
