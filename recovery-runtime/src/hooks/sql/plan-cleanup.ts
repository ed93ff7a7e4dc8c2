import { gateByVersion, rulesFor, type VersionGate } from '#contract/pcs7-version.ts';
import { type CleanupAction, type CleanupRule, cleanupRules } from '#contract/sql-cleanup-rules.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { matchesPattern } from './name-pattern.ts';

export interface PlannedDatabase {
  readonly database: DatabaseFacts;
  readonly action: CleanupAction;
  /** A sentence for the report. */
  readonly why: string;
}

export interface CleanupPlan {
  readonly gate: VersionGate;
  /** Every database of the instance once, in the order of its ids. */
  readonly databases: readonly PlannedDatabase[];
}

export function planCleanup(
  databases: readonly DatabaseFacts[],
  productVersion: string | undefined,
  rules: readonly CleanupRule[] = cleanupRules,
): CleanupPlan {
  const inOrder = rulesFor(productVersion, rules);
  return {
    gate: gateByVersion(productVersion, rules),
    databases: databases
      .toSorted((a, b) => a.databaseId - b.databaseId)
      .map((database) => planDatabase(database, inOrder)),
  };
}

function planDatabase(database: DatabaseFacts, rules: readonly CleanupRule[]): PlannedDatabase {
  const never = protectedBecause(database);
  if (never !== undefined) return { database, action: 'KEEP', why: `${database.name} is kept: ${never}.` };
  const rule = rules.find(
    ({ state, name }) => matchesPattern(database.state, state) && matchesPattern(database.name, name),
  );
  if (rule === undefined)
    return { database, action: 'KEEP', why: `${database.name} is kept: no rule names it.` };
  const cannot = rule.action === 'DROP' || rule.action === 'DETACH' ? impossibleBecause(database) : undefined;
  if (cannot !== undefined) {
    return {
      database,
      action: 'REPORT',
      why: `${database.name} (${database.state}) needs a person: ${rule.action} was meant, but ${cannot}.`,
    };
  }
  return { database, action: rule.action, why: sentences[rule.action](database, rule.why) };
}

const sentences: Readonly<Record<CleanupAction, (database: DatabaseFacts, why: string) => string>> = {
  DROP: ({ name, state }, why) => `${name} (${state}) is dropped: ${why}.`,
  DETACH: ({ name, state }, why) => `${name} (${state}) is detached: ${why}.`,
  KEEP: ({ name }, why) => `${name} is kept: ${why}.`,
  REPORT: ({ name, state }, why) => `${name} (${state}) needs a person: ${why}.`,
};

const lastSystemDatabaseId = 4;

/** No rule reaches these. */
function protectedBecause({ databaseId, distributor, snapshot }: DatabaseFacts): string | undefined {
  if (databaseId <= lastSystemDatabaseId) return 'it is a system database';
  if (distributor) return 'it is the distribution database of a replication';
  return snapshot ? 'it is a snapshot of another database' : undefined;
}

/** What sp_detach_db and DROP DATABASE refuse (SQL Server documentation of both). */
function impossibleBecause({ hasSnapshots, mirrored, published }: DatabaseFacts): string | undefined {
  if (hasSnapshots) return 'there are snapshots of it';
  if (mirrored) return 'it is mirrored';
  return published ? 'it is published' : undefined;
}
