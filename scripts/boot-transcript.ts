import type { JournalEntry } from '#pxe-server/journal/boot-stage.ts';
import { judgeBoot } from '#pxe-server/journal/judge-boot.ts';

/** Boot conversations as a person reads them: times from the first packet on, and where each ended. */
export function printBoots(boots: readonly JournalEntry[][], mode: 'proxy' | 'reservation'): void {
  for (const boot of boots) {
    const [first] = boot;
    if (first === undefined) continue;
    console.log(`Boot of ${first.machine} at ${first.at.toISOString()}`);
    for (const { at, stage, sentence } of boot) {
      const seconds = ((at.getTime() - first.at.getTime()) / 1000).toFixed(3).padStart(9);
      console.log(`${seconds} s  ${stage.padEnd(10)}  ${sentence}`);
    }
    const judgement = judgeBoot(boot, mode);
    if (judgement !== undefined) console.log(`  It ended there: ${judgement}`);
  }
}
