#!/usr/bin/env node
/**
 * `npm run faults`: long campaigns of real faults against restore, capture, store and parsers. What each has
 * to hold is its goal; figures of runs are in docs/reliability.md.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { exitCodeOf, formatError, RekindleError } from '#base/errors.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import type { Campaign, CampaignResult } from './campaign.ts';
import { campaigns } from './campaigns.ts';

interface Options {
  readonly only?: readonly string[];
  readonly quick?: boolean;
  readonly points?: number;
  readonly seed: number;
  readonly json?: boolean;
}

interface Finished extends CampaignResult {
  readonly name: string;
  readonly goal: string;
  readonly seed: number;
  readonly seconds: number;
}

/** Points of each campaign with --quick. */
const quickPoints = 24;

function readOptions(): Options {
  const whole = (text: string): number => {
    if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('it is a whole number');
    return Number(text);
  };
  const command = new Command('npm run faults --')
    .description('Makes faults happen at every point of real work and counts how it ends.')
    .option('--only <names...>', `campaigns to run: ${campaigns.map(({ name }) => name).join(', ')}`)
    .option('--quick', `at most ${quickPoints} points of each campaign`)
    .option('--points <number>', 'at most so many points of each campaign, spread evenly', whole)
    .option('--seed <number>', 'the same seed gives the same faults', whole, 1)
    .option('--json', 'the results as JSON on standard output')
    .addHelpText(
      'after',
      '\nExample:\n  npm run faults -- --only kill-restore --quick\n\nExit codes: 0 every goal held, 1 a violation, 2 usage, 130 interrupted.',
    );
  return command.exitOverride().parse().opts<Options>();
}

function chooseCampaigns(only: readonly string[] | undefined): readonly Campaign[] {
  if (only === undefined) return campaigns;
  return only.map((name) => {
    const found = campaigns.find((campaign) => campaign.name === name);
    if (found !== undefined) return found;
    throw new RekindleError('usage', `There is no campaign "${name}"`, {
      next: `Choose among ${campaigns.map((campaign) => campaign.name).join(', ')}.`,
    });
  });
}

async function runCampaign(
  campaign: Campaign,
  { seed, quick, points }: Options,
  signal: AbortSignal,
): Promise<Finished> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `rekindle-faults-${campaign.name}-`));
  const limit = quick === true ? quickPoints : points;
  const startedAt = performance.now();
  console.error(`${campaign.name}: ${campaign.goal}`);
  try {
    const result = await campaign.run({
      folder,
      seed,
      ...(limit === undefined ? {} : { limit }),
      signal,
      progress: (line) => console.error(`  ${line}`),
    });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    return { name: campaign.name, goal: campaign.goal, seed, seconds, ...result };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function formatFinished({ name, points, seconds, outcomes, violations, figures }: Finished): string {
  const rows = (values: Readonly<Record<string, string | number>>): string[] =>
    Object.entries(values).map(([what, value]) => `    ${String(value).padStart(9)}  ${what}`);
  const verdict = violations.length === 0 ? 'held' : `${violations.length} VIOLATIONS`;
  return [
    `${name}: ${verdict}, ${points} points in ${seconds} s`,
    ...rows(outcomes),
    ...rows(figures),
    ...violations.slice(0, 20).map((sentence) => `    VIOLATION: ${sentence}`),
  ].join('\n');
}

try {
  const options = readOptions();
  using interrupted = interruptSignal();
  const results: Finished[] = [];
  for (const campaign of chooseCampaigns(options.only)) {
    const result = await runCampaign(campaign, options, interrupted);
    results.push(result);
    console.error(formatFinished(result));
  }
  if (options.json === true) console.log(JSON.stringify(results, null, 2));
  const violations = results.reduce((sum, { violations: each }) => sum + each.length, 0);
  console.error(`${results.length} campaigns, ${violations} violations, seed ${options.seed}`);
  process.exitCode = violations === 0 ? 0 : 1;
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
