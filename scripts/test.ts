#!/usr/bin/env node
/**
 * `npm test`: types, lint, then every test; ends with one plain line `N passed, N failed`.
 * Arguments go to vitest, e.g. `npm test -- --project unit`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

const vitestResultsSchema = z.looseObject({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  testResults: z.array(z.looseObject({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

interface Tally {
  readonly passed: number;
  readonly failed: number;
}

function runCheck(name: string, command: string, args: readonly string[]): Tally {
  const ok = spawnSync(command, args, { stdio: 'inherit' }).status === 0;
  console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name}`);
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Failed test files that never reached a test (an import error, say) count as one failure each. */
async function runVitest(args: readonly string[]): Promise<Tally> {
  const directory = mkdtempSync(join(tmpdir(), 'rekindle-test-'));
  try {
    const output = join(directory, 'results.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
    const [status] = await once(
      spawn('vitest', ['run', ...reporters, ...args], { stdio: 'inherit' }),
      'close',
    );
    // Killed, or without memory: there are no results, and the tally has to be said all the same.
    if (!existsSync(output)) return { passed: 0, failed: 1 };
    const results = vitestResultsSchema.parse(JSON.parse(readFileSync(output, 'utf8')));
    const silentFailures = results.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    ).length;
    const failed = results.numFailedTests + silentFailures;
    // An unhandled error outside of any test fails the run without failing a test.
    return { passed: results.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * The rehearsals come last. What they boot is built while the other tests run: it takes minutes, most of them waiting
 * for an emulated machine. When that fails, they say so themselves.
 */
async function runAll(): Promise<Tally[]> {
  const build = spawn(process.execPath, ['scripts/rehearsal/build-what-boots.ts'], { stdio: 'inherit' });
  const built = once(build, 'close');
  // Suites have the loop devices of the machine for themselves; the others touch none.
  const tallies = await Promise.all([
    runVitest(['--project', 'suites']),
    runVitest(['unit', 'golden', 'wire'].flatMap((name) => ['--project', name])),
  ]);
  await built;
  return [...tallies, await runVitest(['--project', 'rehearsal'])];
}

const chosen = process.argv.slice(2);
const tallies = [
  runCheck('types (tsc)', 'tsc', ['--noEmit']),
  runCheck('lint and format (biome)', 'biome', ['check', '.']),
  ...(chosen.length === 0 ? await runAll() : [await runVitest(chosen)]),
];
const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
