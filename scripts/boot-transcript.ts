import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry } from '#pxe-server/journal/boot-stage.ts';
import { judgeBoot } from '#pxe-server/journal/judge-boot.ts';

/** Boot conversations as a person reads them: times from the first packet on, and where each ended. */
export function printBoots(boots: readonly JournalEntry[][], mode: 'proxy' | 'reservation'): void {
  for (const boot of boots) {
    const [first] = boot;
    if (first === undefined) continue;
    console.log(headOf(first));
    for (const entry of boot) console.log(lineOf(entry, first));
    const judgement = judgeBoot(boot, mode);
    if (judgement !== undefined) console.log(`  It ended there: ${judgement}`);
  }
}

/** How often a live transcript looks for what came in the meantime. */
const looksEveryMs = 500;

/** The last boot of each card, then every line as it comes, until `signal`. */
export async function followBoots(
  read: () => readonly JournalEntry[][],
  mode: 'proxy' | 'reservation',
  signal: AbortSignal,
): Promise<void> {
  const printed = new Map<string, number>();
  const keyOf = ({ machine, at }: JournalEntry) => `${machine} ${at.getTime()}`;
  let current = '';
  // What is over is told once, with its end.
  const before = read();
  printBoots(before, mode);
  for (const [first, ...rest] of before) if (first !== undefined) printed.set(keyOf(first), rest.length + 1);
  console.log('Waiting for what comes next. Stop with Ctrl-C.');
  while (!signal.aborted) {
    await sleep(looksEveryMs, undefined, { signal }).catch(() => undefined);
    for (const boot of read()) {
      const [first] = boot;
      if (first === undefined) continue;
      const key = keyOf(first);
      const fresh = boot.slice(printed.get(key) ?? 0);
      if (fresh.length === 0) continue;
      printed.set(key, boot.length);
      if (current !== key) console.log(headOf(first));
      current = key;
      for (const entry of fresh) console.log(lineOf(entry, first));
    }
  }
}

function headOf({ machine, at }: JournalEntry): string {
  return `Boot of ${machine} at ${at.toISOString()}`;
}

function lineOf({ at, stage, sentence }: JournalEntry, first: JournalEntry): string {
  const seconds = ((at.getTime() - first.at.getTime()) / 1000).toFixed(3).padStart(9);
  return `${seconds} s  ${stage.padEnd(10)}  ${sentence}`;
}
