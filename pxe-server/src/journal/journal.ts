import * as z from 'zod';
import { deferWrites } from '../site/deferred-writes.ts';
import type { State } from '../site/state.ts';
import { bootStages, groupBoots, type JournalEntry } from './boot-stage.ts';

export interface Journal {
  /**
   * Never throws, and never waits for the disk or for another process that writes to the state: entries are written a
   * moment later, many in one transaction. What cannot be written is tried again and reported.
   */
  record(entry: Omit<JournalEntry, 'at'>): void;
  /** Boot conversations of one machine, the newest last. */
  boots(machine: string): JournalEntry[][];
  /** The newest entry of one machine. */
  last(machine: string): JournalEntry | undefined;
  /** Writes at once what waits; the last thing before the state is closed. */
  flush(): void;
}

export interface JournalOptions {
  /** Boot conversations kept for each machine. */
  readonly keptBoots: number;
  /** Entries kept of all machines together, and up to a thousand more between two looks. */
  readonly keptEntries?: number;
  readonly onFailure?: (error: unknown) => void;
}

/** Whatever sends us packets must not fill the disk: beyond that the oldest entries of all machines go. */
const keptEntriesOfAll = 100_000;
/** Looked after that often, whoever writes: a machine that only fetches files never begins a boot. */
const looksEvery = 1000;
/** Old boots of a machine are removed after so many entries of it. */
const prunesEvery = 64;
const prunedMachines = 4096;

const rowSchema = z
  .object({ id: z.int(), at: z.int(), machine: z.string(), stage: z.enum(bootStages), sentence: z.string() })
  .transform((row) => ({ ...row, at: new Date(row.at) }));

export function createJournal(state: State, options: JournalOptions): Journal {
  const { keptBoots, keptEntries = keptEntriesOfAll, onFailure = () => undefined } = options;
  const insert = state.prepare('INSERT INTO journal (at, machine, stage, sentence) VALUES (?, ?, ?, ?)');
  const select = state.prepare('SELECT * FROM journal WHERE machine = ? ORDER BY id');
  const selectLast = state.prepare('SELECT * FROM journal WHERE machine = ? ORDER BY id DESC LIMIT 1');
  const selectStages = state.prepare('SELECT id, stage FROM journal WHERE machine = ? ORDER BY id');
  const removeBefore = state.prepare('DELETE FROM journal WHERE machine = ? AND id < ?');
  const removeOldest = state.prepare('DELETE FROM journal WHERE id <= ?');
  /** Entries of each machine since its old boots were removed. */
  const sincePruned = new Map<string, number>();

  const pruneBootsOf = (machine: string) => {
    const rows = selectStages.all(machine) as { id: number; stage: JournalEntry['stage'] }[];
    const firstKept = groupBoots(rows).at(-keptBoots)?.[0];
    if (firstKept !== undefined) removeBefore.run(machine, firstKept.id);
  };
  const write = ({ at, machine, stage, sentence }: JournalEntry) => {
    const newest = Number(insert.run(at.getTime(), machine, stage, sentence).lastInsertRowid);
    const since = (sincePruned.get(machine) ?? 0) + 1;
    if (sincePruned.size >= prunedMachines) sincePruned.clear();
    sincePruned.set(machine, since % prunesEvery);
    if (since >= prunesEvery) pruneBootsOf(machine);
    if (newest % looksEvery === 0) removeOldest.run(newest - keptEntries);
  };
  const { add, flush } = deferWrites(state, write, onFailure);

  return {
    record(entry) {
      add({ ...entry, at: new Date() });
    },
    boots(machine) {
      flush();
      const rows = select.all(machine).map((row) => rowSchema.parse(row));
      return groupBoots(rows)
        .slice(-keptBoots)
        .map((boot) => boot.map(({ at, stage, sentence }) => ({ at, machine, stage, sentence })));
    },
    last(machine) {
      flush();
      const row = selectLast.get(machine);
      return row === undefined ? undefined : rowSchema.parse(row);
    },
    flush,
  };
}
