/**
 * Stations that stop in the middle of a download. Argument: {url, count}. Each reads the first bytes of the body and
 * then nothing; prints {stopped: N} each time one more has stopped. After a line on standard input they all read on;
 * prints {sums}, the SHA-256 of what each got, and ends.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

const { url, count }: { url: string; count: number } = JSON.parse(process.argv[2] ?? '');
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
let stopped = 0;
const goOn = once(process.stdin, 'data');

async function read(): Promise<string> {
  const hash = createHash('sha256');
  const [reply] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  let isFirst = true;
  for await (const part of reply) {
    hash.update(part as Buffer);
    if (!isFirst) continue;
    isFirst = false;
    stopped += 1;
    say({ stopped });
    await goOn;
  }
  return hash.digest('hex');
}
say({ sums: await Promise.all(Array.from({ length: count }, read)) });
process.exit(0);
