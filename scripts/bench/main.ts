import fs from 'node:fs';
import os from 'node:os';
import { Command } from 'commander';
import { exitCodeOf, formatError, RekindleError } from '#base/errors.ts';
import { openBenchLab } from './bench-lab.ts';
import { assertPeers } from './peers.ts';
import { formatTable } from './print-table.ts';
import { isMet, type Row, type Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';

/** `npm run bench`: ours against the peers on the same machine in the same run. Ratios, never a gate. */

interface Options {
  readonly only: readonly string[];
  readonly quick?: true;
  readonly json?: true;
  readonly output?: string;
}

const known = scenarios.map(({ name }) => name).join(', ');
const command = new Command('bench')
  .description('Measures capture, restore and the store against their peers; prints a table of ratios.')
  .option('--only <name>', `this scenario; may be given again (${known})`, collect, [])
  .option('--quick', 'a disk of 512 MiB: does it run, not how fast it is')
  .option('--json', 'print JSON instead of tables')
  .option('--output <file>', 'write the JSON there as well')
  .action(run);

try {
  await command.parseAsync();
} catch (error) {
  console.error(formatError(error));
  process.exitCode = exitCodeOf(error);
}

function collect(name: string, before: readonly string[]): string[] {
  return [...before, name];
}

async function run({ only, quick, json, output }: Options): Promise<void> {
  const chosen = choose(only);
  await assertPeers();
  const say = (text: string): void => (json ? console.error(text) : console.log(text));
  using lab = openBenchLab({ quick: quick === true, note: (sentence) => say(`  ${sentence}`) });
  const results = [];
  for (const scenario of chosen) {
    say(`${scenario.name}: ${scenario.title}`);
    const startedAt = performance.now();
    const { rows, measured } = await scenario.run(lab);
    const seconds = (performance.now() - startedAt) / 1000;
    say(`${formatTable(rows)}\n  (${seconds.toFixed(0)} s)\n`);
    results.push({
      ...{ name: scenario.name, title: scenario.title, seconds, measured },
      rows: rows.map((row) => ({ ...row, met: isMet(row) })),
    });
  }
  say(summary(results.flatMap(({ rows }): Row[] => rows)));
  const report = JSON.stringify({ machine: machine(), quick: quick === true, scenarios: results }, null, 1);
  if (json) console.log(report);
  if (output !== undefined) fs.writeFileSync(output, `${report}\n`);
}

function choose(names: readonly string[]): readonly Scenario[] {
  const unknown = names.find((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown !== undefined)
    throw new RekindleError('usage', `There is no scenario "${unknown}"`, { next: `There are ${known}.` });
  return names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name));
}

function summary(rows: readonly Row[]): string {
  const judged = rows.map(isMet).filter((met) => met !== undefined);
  return `${judged.filter(Boolean).length} of ${judged.length} goals met.`;
}

function machine() {
  const [cpu] = os.cpus();
  return {
    processor: cpu?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernel: os.release(),
    node: process.version,
    at: new Date().toISOString(),
  };
}
