import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundle, projectRoot } from '#scripts/runtime/bundle.ts';

/** A bundled program, and what Node has loaded at two moments of it. */
async function run(source: string): Promise<unknown[]> {
  const directory = await mkdtemp(join(tmpdir(), 'load-later-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'entry.mjs'), source);
  const program = join(directory, 'program.cjs');
  await writeFile(program, await bundle(join(directory, 'entry.mjs')));
  const said = execFileSync(process.execPath, [program]).toString();
  return said
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

test('TLS, HTTP, compression and terminals are loaded when they are first used, and are all there then', async () => {
  const [before, used, after] = await run(`
    import https, { Agent } from 'node:https';
    import { IncomingMessage } from 'node:http';
    import { DEFAULT_CIPHERS } from 'node:tls';
    import { isatty } from 'node:tty';
    import { promisify } from 'node:util';
    import * as zlib from 'node:zlib';
    const loaded = () => console.log(JSON.stringify(
      ['https', 'http', 'tls', 'tty', 'zlib'].filter((name) => process.moduleLoadList.includes('NativeModule ' + name))));
    loaded();
    const unpacked = zlib.zstdDecompressSync(zlib.zstdCompressSync('whole')).toString();
    console.log(JSON.stringify([new https.Agent() instanceof Agent, typeof IncomingMessage, DEFAULT_CIPHERS.length > 9,
      unpacked, typeof promisify(zlib.gzip), isatty(9)]));
    loaded();`);
  expect(before).toEqual([]);
  expect(used).toEqual([true, 'function', true, 'whole', 'function', false]);
  expect(after).toEqual(['https', 'http', 'tls', 'tty', 'zlib']);
});

test('a probe that carries the bundler starts in the runtime, where the package with Node is not to be found', async () => {
  const files = join(projectRoot, 'scripts/runtime/first-boot-files.ts');
  const source = `import { readFirstBootFile } from '${files}'; console.log(JSON.stringify(typeof readFirstBootFile));`;
  expect(await run(source)).toEqual(['function']);
});
