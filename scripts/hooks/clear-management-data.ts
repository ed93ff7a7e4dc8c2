import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { formatCleanupBatch, type StatementResult } from '#runtime/hooks/sql/cleanup-statement.ts';
import { factsQuery, readFacts } from '#runtime/hooks/sql/database-facts.ts';
import { type CleanupPlan, type PlannedDatabase, planCleanup } from '#runtime/hooks/sql/plan-cleanup.ts';
import type { SqlSession } from './sql-session.ts';

/** Looks at the instance and plans; changes nothing. */
export async function lookAndPlan(
  session: SqlSession,
  productVersion: string | undefined,
): Promise<CleanupPlan> {
  return planCleanup(readFacts(await session.run('Reading the databases', factsQuery)), productVersion);
}

type Acting = PlannedDatabase & { readonly action: 'DROP' | 'DETACH' };

export function actingOf(plan: CleanupPlan): Acting[] {
  return plan.databases.filter(
    (planned): planned is Acting => planned.action === 'DROP' || planned.action === 'DETACH',
  );
}

const resultSchema = z.strictObject({
  name: z.string(),
  action: z.string(),
  outcome: z.enum(['done', 'absent', 'changed', 'failed']),
  statement: z.string(),
  errorNumber: z.number().nullable(),
  errorMessage: z.string().nullable(),
});

/**
 * One batch a database; one that fails stops no other, and a lost connection ends the run with what was done
 * until then. @throws RekindleError `usage`: the log-on is no sysadmin
 */
export async function applyCleanup(session: SqlSession, plan: CleanupPlan): Promise<StatementResult[]> {
  await assertSysadmin(session);
  const results: StatementResult[] = [];
  for (const planned of actingOf(plan)) {
    const { name } = planned.database;
    try {
      const [row] = await session.run(`${planned.action} of ${name}`, formatCleanupBatch(planned));
      results.push(resultSchema.parse(row));
    } catch (error) {
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      results.push({
        name,
        action: planned.action,
        outcome: 'failed',
        statement: '',
        errorNumber: null,
        errorMessage: reason instanceof Error ? reason.message : String(reason),
      });
    }
  }
  return results;
}

async function assertSysadmin(session: SqlSession): Promise<void> {
  const rows = await session.run('Asking for rights', "SELECT IS_SRVROLEMEMBER('sysadmin') AS [sysadmin];");
  if (rows[0]?.['sysadmin'] === 1) return;
  throw new RekindleError('usage', 'Clearing management data: this log-on is no member of sysadmin', {
    next: 'Log on as an administrator of the instance, or write the script (--emit FILE) and have one run it there.',
  });
}
