import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { formatCleanupBatch, type StatementResult } from '#runtime/hooks/sql/cleanup-statement.ts';
import type { CleanupPlan } from '#runtime/hooks/sql/plan-cleanup.ts';
import { knownPassword } from '../../ask-password.ts';
import { actingOf, applyCleanup, lookAndPlan } from '../../hooks/clear-management-data.ts';
import { parseSqlServerAddress } from '../../hooks/sql-server-address.ts';

interface Options {
  readonly server: string;
  readonly user: string;
  readonly domain?: string;
  readonly passwordFile?: string;
  readonly pcs7?: string;
  readonly apply?: boolean;
  readonly emit?: string;
  readonly encryption: boolean;
  readonly json?: boolean;
}

export function sqlCommand(): Command {
  return new Command('sql')
    .description("clear an SQL Server's management data of old WinCC projects (PCS 7 V8.0 and V8.1)")
    .requiredOption('--server <address>', 'HOST\\INSTANCE or HOST,PORT')
    .requiredOption('--user <name>', 'who logs on; a member of sysadmin')
    .option('--domain <name>', 'a Windows account of this domain instead of a log-on of SQL Server')
    .option('--password-file <file>', 'first line is the password; without it, it is asked for')
    .option('--pcs7 <version>', 'PCS 7 version of the station, e.g. "V8.1"')
    .option('--apply', 'do what the plan says; without it, the plan is only shown')
    .option('--emit <file>', 'write the plan as T-SQL for an administrator to run')
    .option('--no-encryption', 'for servers that know no TLS of today')
    .option('--json', 'as JSON')
    .action(sql);
}

async function sql(options: Options): Promise<void> {
  const address = parseSqlServerAddress(options.server);
  const password = await knownPassword(options.user, options.passwordFile);
  // The client library takes a second to load, which no other verb should wait for.
  const { openSqlSession } = await import('../../hooks/sql-session.ts');
  await using session = await openSqlSession({
    address,
    login: {
      user: options.user,
      password,
      ...(options.domain === undefined ? {} : { domain: options.domain }),
    },
    encrypt: options.encryption,
  });
  const plan = await lookAndPlan(session, options.pcs7);
  if (options.json !== true) for (const line of describePlan(plan)) console.log(line);
  if (options.emit !== undefined) await writeFile(options.emit, formatScript(plan));
  const results = options.apply === true ? await applyWhereAllowed() : [];
  if (options.json === true) console.log(JSON.stringify({ ...plan, results }));
  else for (const line of results.map(describeResult)) console.log(line);
  assertAllDone(results);

  async function applyWhereAllowed(): Promise<StatementResult[]> {
    if (plan.gate.kind === 'run') return applyCleanup(session, plan);
    if (plan.gate.kind === 'skip') return [];
    throw new RekindleError(
      'usage',
      `Clearing management data: nothing was changed, because ${plan.gate.why}`,
      {
        next: 'Find out the PCS 7 version of the station and name it: --pcs7 V8.1',
      },
    );
  }
}

function describePlan({ gate, databases }: CleanupPlan): string[] {
  return [
    ...databases.map(({ action, why }) => `${action.padEnd(7)} ${why}`),
    gate.kind === 'run' ? 'PCS 7 leaves this to us.' : `Nothing will be changed: ${gate.why}.`,
  ];
}

function describeResult({ name, action, outcome, errorNumber, errorMessage }: StatementResult): string {
  const words = {
    done: `${action} of ${name}: done`,
    absent: `${action} of ${name}: it was gone already`,
    changed: `${action} of ${name}: left alone, it is not in the state any more that was planned for`,
    failed: `${action} of ${name}: FAILED, ${errorNumber === null ? '' : `error ${errorNumber}: `}${errorMessage}`,
  };
  return words[outcome as keyof typeof words];
}

/** For SQL Server Management Studio or sqlcmd: what would be run, a batch a database. */
function formatScript(plan: CleanupPlan): string {
  const batches = plan.gate.kind === 'skip' ? [] : actingOf(plan).map((each) => formatCleanupBatch(each));
  const remarks = plan.databases.map(({ action, why }) => `-- ${action}: ${why.replace(/[\r\n]+/g, ' ')}`);
  return `${remarks.join('\n')}\n${batches.map((batch) => `${batch}GO\n`).join('')}`;
}

function assertAllDone(results: readonly StatementResult[]): void {
  const open = results.filter(({ outcome }) => outcome === 'failed' || outcome === 'changed');
  if (open.length === 0) return;
  throw new RekindleError(
    'failed-hooks',
    `Clearing management data: ${open.length} of ${results.length} databases are still there`,
    { next: 'Run it again, or detach them by hand in SQL Server Management Studio.' },
  );
}
