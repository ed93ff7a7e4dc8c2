import { recoverHive } from '../hive/recover-hive.ts';
import type { StoredHive } from '../registry/stored-hive.ts';
import type { HiveEvidence } from './evidence.ts';

/** The hive with its logs replayed in memory, and what it was like. */
export async function examineHive(
  stored: StoredHive,
): Promise<{ readonly hive: HiveEvidence; readonly bytes: Buffer | null }> {
  const recovered = recoverHive(await stored.read());
  switch (recovered.kind) {
    case 'clean':
      return { hive: { kind: 'clean' }, bytes: recovered.hive };
    case 'replayed':
      return { hive: { kind: 'replayable', writes: recovered.writes }, bytes: recovered.hive };
    case 'refused':
      return { hive: { kind: 'refused', why: recovered.why }, bytes: null };
  }
}
