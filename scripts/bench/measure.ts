import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { missingTool, type Tool } from '#base/run-tool.ts';

/** One measured run of a program with all of its children. */
export interface Sample {
  readonly seconds: number;
  /** User and system time; says more than `seconds` where other programs share the machine. */
  readonly cpuSeconds: number;
  /** Largest resident set of any one process. */
  readonly peakBytes: number;
  /** What an engine of ours said about its own run. */
  readonly facts: Readonly<Record<string, number>>;
}

export interface Contestant {
  readonly name: string;
  /** Not counted: removes what the run before left, makes room. */
  readonly prepare?: () => void;
  readonly command: readonly string[];
}

export interface Measured {
  readonly name: string;
  readonly samples: readonly Sample[];
}

const time: Tool = { command: '/usr/bin/time', debianPackage: 'time' };

/**
 * Runs every contestant once, then all of them again, `rounds` times: whatever else the machine does meets each
 * of them alike.
 */
export async function runInterleaved(
  contestants: readonly Contestant[],
  rounds: number,
  scratch: string,
): Promise<Measured[]> {
  const samples = contestants.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [number, contestant] of contestants.entries()) {
      contestant.prepare?.();
      samples[number]?.push(await runOnce(contestant.name, contestant.command, scratch));
    }
  }
  return contestants.map(({ name }, number) => ({ name, samples: samples[number] ?? [] }));
}

/** @throws RekindleError `unexpected` (it failed; its last lines are the cause), `usage` (GNU time is missing) */
export function runOnce(name: string, command: readonly string[], scratch: string): Promise<Sample> {
  const record = path.join(scratch, 'time');
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(
      time.command,
      ['--format', '%U %S %M', '--output', record, ...command],
      // The tools' messages are part of our error reports: always in one language.
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C.UTF-8' } },
    );
    const said: Buffer[] = [];
    const stdout: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => stdout.push(part));
    child.stderr.on('data', (part: Buffer) => said.push(part));
    child.once('error', (cause) => reject(missingTool(`measuring ${name}`, time, cause)));
    child.once('close', (status) => {
      const seconds = (performance.now() - startedAt) / 1000;
      if (status !== 0) {
        const cause = new Error(
          Buffer.concat([...stdout, ...said])
            .toString()
            .trim()
            .slice(-2000),
        );
        reject(new RekindleError('unexpected', `${name} failed with status ${status}`, { cause }));
        return;
      }
      const [user, system, peakKiB] = fs.readFileSync(record, 'utf8').trim().split(' ').map(Number);
      resolve({
        seconds,
        cpuSeconds: (user ?? 0) + (system ?? 0),
        peakBytes: (peakKiB ?? 0) * 1024,
        facts: parseFacts(Buffer.concat(stdout).toString()),
      });
    });
  });
}

/** The engine process ends with one line of JSON; peers say what they like. */
function parseFacts(stdout: string): Record<string, number> {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return line.startsWith('{"facts":') ? JSON.parse(line).facts : {};
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Median of the rounds' own ratios: the two runs of one round met the same machine. */
export function pairedRatio(one: readonly number[], other: readonly number[]): number {
  return median(one.map((value, round) => value / (other[round] ?? Number.NaN)));
}
