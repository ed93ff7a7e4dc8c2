import * as z from 'zod';
import type { State } from '../site/state.ts';
import { bootStages, groupBoots, type JournalEntry } from './boot-stage.ts';

export interface Journal {
  record(entry: Omit<JournalEntry, 'at'>): void;
  /** Boot conversations of one machine, the newest last. */
  boots(machine: string): JournalEntry[][];
}

/** Whatever sends us packets must not fill the disk: beyond that the oldest entries of all machines go. */
const keptEntriesOfAll = 100_000;
/** Looked after that often, whoever writes: a machine that only fetches files never begins a boot. */
const looksEvery = 1000;

const rowSchema = z
  .object({ id: z.int(), at: z.int(), machine: z.string(), stage: z.enum(bootStages), sentence: z.string() })
  .transform((row) => ({ ...row, at: new Date(row.at) }));

/**
 * @param keptBoots boot conversations kept for each machine
 * @param keptEntries entries kept of all machines together, and up to a thousand more between two looks
 */
export function createJournal(
  state: State,
  keptBoots: number,
  keptEntries: number = keptEntriesOfAll,
): Journal {
  const insert = state.prepare('INSERT INTO journal (at, machine, stage, sentence) VALUES (?, ?, ?, ?)');
  const select = state.prepare('SELECT * FROM journal WHERE machine = ? ORDER BY id');
  const rowsOf = (machine: string) => select.all(machine).map((row) => rowSchema.parse(row));

  const pruneBootsOf = (machine: string) => {
    const firstKept = groupBoots(rowsOf(machine)).at(-keptBoots)?.[0];
    if (firstKept !== undefined) {
      state.prepare('DELETE FROM journal WHERE machine = ? AND id < ?').run(machine, firstKept.id);
    }
  };

  return {
    record({ machine, stage, sentence }) {
      const newest = Number(insert.run(Date.now(), machine, stage, sentence).lastInsertRowid);
      if (stage === 'firmware' || stage === 'ipxe') pruneBootsOf(machine);
      if (newest % looksEvery === 0) {
        state.prepare('DELETE FROM journal WHERE id <= ?').run(newest - keptEntries);
      }
    },
    boots: (machine) =>
      groupBoots(rowsOf(machine)).map((boot) =>
        boot.map(({ at, stage, sentence }) => ({ at, machine, stage, sentence })),
      ),
  };
}
