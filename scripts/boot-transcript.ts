import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry } from '#pxe-server/journal/boot-stage.ts';
import { judgeBoot } from '#pxe-server/journal/judge-boot.ts';
import { columnsOf, fitTerminal } from './fit-terminal.ts';

/** Boot conversations as a person reads them: times from the first packet on, and where each ended. */
export function formatBoots(
  boots: readonly (readonly JournalEntry[])[],
  mode: 'proxy' | 'reservation',
  columns: number | undefined,
): string[] {
  return boots.flatMap((boot) => {
    const [first] = boot;
    if (first === undefined) return [];
    const judgement = judgeBoot(boot, mode);
    return [
      headOf(first),
      ...boot.map((entry) => formatEntry(entry, first, columns)),
      ...(judgement === undefined ? [] : [fitTerminal(`  It ended there: ${judgement}`, columns)]),
    ];
  });
}

export function printBoots(boots: readonly (readonly JournalEntry[])[], mode: 'proxy' | 'reservation'): void {
  for (const line of formatBoots(boots, mode, columnsOf(process.stdout))) console.log(line);
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
      for (const entry of fresh) console.log(formatEntry(entry, first, columnsOf(process.stdout)));
    }
  }
}

function headOf({ machine, at }: JournalEntry): string {
  return `Boot of ${machine} at ${at.toISOString()}`;
}

/** A sentence that goes on stands below its own beginning. */
function formatEntry(
  { at, stage, sentence }: JournalEntry,
  first: JournalEntry,
  columns: number | undefined,
): string {
  const seconds = ((at.getTime() - first.at.getTime()) / 1000).toFixed(3).padStart(9);
  const before = `${seconds} s  ${stage.padEnd(10)}  `;
  return fitTerminal(`${before}${sentence}`, columns, before.length);
}
