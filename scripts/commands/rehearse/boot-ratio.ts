import path from 'node:path';
import { openBootLab } from '../../rehearsal/boot-lab.ts';
import type { BootCellName } from '../../rehearsal/boot-matrix.ts';
import { bareBootConfiguration, measureBootRatio } from '../../rehearsal/boot-ratio.ts';
import { evidenceDirectory, stateDirectory } from './evidence.ts';

/** Power-on to the runtime's first line against a bare busybox initrd, in turns; the goal is 1.25. */
export async function compareWithBare(
  cell: BootCellName,
  rounds: number,
  { report, json = false }: { readonly report?: string; readonly json?: boolean },
): Promise<void> {
  await using lab = await openBootLab({
    mode: 'reservation',
    stateDirectory,
    evidence: path.resolve(report ?? evidenceDirectory('boot-ratio')),
    boot: bareBootConfiguration,
    asShipped: true,
  });
  const measured = await measureBootRatio(lab, cell, rounds);
  if (json) return console.log(JSON.stringify({ cell, ...measured }));
  console.log(
    [
      `Power-on to the first line, ${cell}, ${rounds} rounds in turns, seconds:`,
      `  recovery runtime   ${measured.runtimeSeconds.join('  ')}`,
      `  bare busybox       ${measured.bareSeconds.join('  ')}`,
      `  ratio, median      ${measured.ratio.toFixed(2)} (goal: at most 1.25)`,
    ].join('\n'),
  );
}
