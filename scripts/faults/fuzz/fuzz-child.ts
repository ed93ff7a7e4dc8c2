import { seededRandom } from '#test/support/random.ts';
import { judgeRefusal, parsers } from './parsers.ts';
import { isVolume, volumeParser } from './volume-parsers.ts';

/**
 * `node fuzz-child.ts <parser> <seed> <count>`: one parser in a process of its own, so that a hang or memory without
 * bound is seen from outside. A line of JSON every second, the last one is the result.
 */
export interface FuzzReport {
  readonly done: number;
  readonly accepted: number;
  readonly refused: number;
  /** Sentence -> how often. */
  readonly violations: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly peakRssBytes: number;
}

const [name = '', seed = '', count = ''] = process.argv.slice(2);
const parser = isVolume(name) ? await volumeParser(name) : parsers.find((each) => each.name === name);
if (parser === undefined) throw new Error(`there is no parser "${name}"`);
const random = seededRandom(Number(seed));
const violations: Record<string, number> = {};
let [accepted, refused, slowestMs, saidAt] = [0, 0, 0, performance.now()];

const report = (done: number): void => {
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  console.log(
    JSON.stringify({ done, accepted, refused, violations, slowestMs, peakRssBytes } satisfies FuzzReport),
  );
};
for (const seedBytes of parser.seeds) {
  // Good inputs are accepted; a bomb is one that is not, and is refused properly.
  try {
    parser.parse(Buffer.from(seedBytes));
  } catch (error) {
    const problem = judgeRefusal(parser, error);
    if (problem !== null) violations[`a seed: ${problem}`] = 1;
  }
}
const inputs = Math.min(Number(count), parser.most ?? Number(count));
for (let number = 0; number < inputs; number++) {
  const bytes = parser.mutate(random);
  const startedAt = performance.now();
  try {
    parser.parse(bytes);
    accepted++;
  } catch (error) {
    refused++;
    const problem = judgeRefusal(parser, error);
    if (problem !== null) {
      const sentence = `${problem.slice(0, 300)} (input ${number}, seed ${seed}, ${bytes.toString('base64').slice(0, 80)})`;
      if (Object.keys(violations).length < 10) violations[sentence] = (violations[sentence] ?? 0) + 1;
    }
  }
  const now = performance.now();
  slowestMs = Math.max(slowestMs, now - startedAt);
  if (now - saidAt < 1000) continue;
  saidAt = now;
  report(number + 1);
}
report(inputs);
