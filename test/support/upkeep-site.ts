import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { parseSecretKey, type SecretKey } from '#images/format/minisign.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState, type State } from '#pxe-server/site/state.ts';
import { projectRoot } from '#scripts/runtime/bundle.ts';
import { chunkFileIn } from './every-store.ts';
import { makeTemporaryFolder, noise } from './restore-demo-disk.ts';
import { writeImage } from './store-images.ts';

/** A site and its store with images of few chunks, and the command on it. */
export interface UpkeepSite extends Disposable {
  readonly folder: string;
  readonly site: string;
  readonly store: string;
  readonly key: SecretKey;
  readonly state: State;
  /** An image of the day in November that has these blocks. */
  write(
    station: string,
    day: number,
    numbers: readonly number[],
    sequence?: number,
  ): ReturnType<typeof writeImage>;
  /** Where the chunk of a block is, in this store or another one. */
  file(number: number, where?: string): string;
  rekindle(...args: string[]): Promise<Ran>;
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const block = (n: number): Buffer => noise(`block ${n}`, 200_000);

export async function makeUpkeepSite(): Promise<UpkeepSite> {
  const folder = makeTemporaryFolder();
  const site = path.join(folder.path, 'site');
  const paths = sitePaths(site);
  await createSite(paths, { interface: 'lo', dhcp: { mode: 'proxy' } });
  const state = openState(paths.state, { create: true });
  const store = path.join(site, 'images');
  const key = parseSecretKey(fs.readFileSync(paths.imageSigningKey, 'utf8'));
  return {
    folder: folder.path,
    site,
    store,
    key,
    state,
    write: (station, day, numbers, sequence = day) =>
      writeImage(store, key, {
        station,
        utc: `202611${String(day).padStart(2, '0')}T020000Z`,
        blocks: numbers.map(block),
        sequence,
      }),
    file: (number, where = store) => chunkFileIn(where, chunkIdOf(block(number))),
    rekindle: (...args) => run([...args, '--site', site]),
    [Symbol.dispose]() {
      state.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Beside this thread: some of the servers that it talks to are in this process. */
function run(args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [path.join(projectRoot, 'scripts/rekindle.ts'), ...args]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part) => {
    stdout += part;
  });
  child.stderr.on('data', (part) => {
    stderr += part;
  });
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
}
