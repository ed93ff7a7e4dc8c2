import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type Campaign, createTally } from './campaign.ts';
import type { FuzzReport } from './fuzz/fuzz-child.ts';
import { parsers } from './fuzz/parsers.ts';
import { volumeNames } from './fuzz/volume-parsers.ts';

/** Over a million damaged inputs for everything that reads what others may have written. */
const inputsEach = 70_000;
/** A parser that says nothing for so long hangs. */
const silenceMs = 30_000;
const slowestMs = 2000;
/** A chunk may have 128 MiB; Node joins its pieces, and collects what the input before left behind when it likes. */
const memoryLimitBytes = 640 * 1024 * 1024;
const fuzzChild = path.join(import.meta.dirname, 'fuzz/fuzz-child.ts');

export const fuzzParsers: Campaign = {
  name: 'fuzz-parsers',
  goal: 'a million mutated indexes, chunks, manifests, tables, signatures, names: an answer or a refusal that names the file; bounded time and memory',
  async run({ seed, limit, progress }) {
    const tally = createTally();
    const count = limit === undefined ? inputsEach : limit * 20;
    let [slowest, memory] = [0, 0];
    const names = [...parsers.map(({ name }) => name), ...volumeNames];
    for (const name of names) {
      const { last, failure } = await fuzz(name, seed, count, (done) =>
        progress(`${name}: ${done} of ${count}`),
      );
      if (failure !== null) tally.violation(`${name}: ${failure}`);
      tally.outcome('refused, naming what was read', last.refused);
      tally.outcome('accepted: a value, or an answer that says why not', last.accepted);
      for (const [sentence, times] of Object.entries(last.violations))
        tally.violation(`${name}: ${sentence}, ${times} times`);
      if (last.slowestMs > slowestMs)
        tally.violation(`${name}: one input took ${Math.round(last.slowestMs)} ms`);
      if (last.peakRssBytes > memoryLimitBytes)
        tally.violation(`${name}: took ${last.peakRssBytes >> 20} MiB`);
      slowest = Math.max(slowest, last.slowestMs);
      memory = Math.max(memory, last.peakRssBytes);
    }
    tally.figure('parsers', names.length);
    tally.figure('slowest input', `${Math.round(slowest)} ms`);
    tally.figure('most memory of a process', `${memory >> 20} MiB`);
    return tally.result();
  },
};

const nothing: FuzzReport = {
  done: 0,
  accepted: 0,
  refused: 0,
  violations: {},
  slowestMs: 0,
  peakRssBytes: 0,
};

function fuzz(
  parser: string,
  seed: number,
  count: number,
  onProgress: (done: number) => void,
): Promise<{ last: FuzzReport; failure: string | null }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [fuzzChild, parser, String(seed), String(count)]);
    let last = nothing;
    let stderr = '';
    let watch = setTimeout(hangs, silenceMs);
    function hangs(): void {
      stderr = `said nothing for ${silenceMs / 1000} s after input ${last.done} with seed ${seed}: it hangs`;
      child.kill('SIGKILL');
    }
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    createInterface({ input: child.stdout }).on('line', (line) => {
      last = JSON.parse(line) as FuzzReport;
      onProgress(last.done);
      clearTimeout(watch);
      watch = setTimeout(hangs, silenceMs);
    });
    child.on('close', (code) => {
      clearTimeout(watch);
      resolve({ last, failure: code === 0 ? null : stderr.trim() || `ended with ${code}` });
    });
  });
}
