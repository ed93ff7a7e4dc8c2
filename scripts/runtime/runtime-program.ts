import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workerEntries } from '#base/worker-threads.ts';
import { bundle, projectRoot } from './bundle.ts';
import { firstBootFiles } from './first-boot-files.ts';

/** Our own part of the runtime: the program, its worker threads, init, and what restored systems get. */
export interface RuntimeProgram {
  /** CommonJS text. */
  readonly main: string;
  /** The same of the worker threads, by the file name that the program asks for. */
  readonly assets: Readonly<Record<string, string>>;
}

const runtimeEntry = 'recovery-runtime/src/main.ts';

export async function bundleRuntime(
  entry: string = runtimeEntry,
  workers: Readonly<Record<string, string>> = workerEntries,
): Promise<RuntimeProgram> {
  const main = await bundle(entry);
  const assets: Record<string, string> = {};
  for (const [name, path] of Object.entries(workers)) assets[`${name}.cjs`] = await bundle(path);
  return { main, assets };
}

export const readInit = (): Promise<Buffer> => readFile(join(projectRoot, 'recovery-runtime/src/init/init'));

/** Two runtimes with the same hash do the same; kernel, Node and tools are not in it. */
export async function programSha256({ main, assets }: RuntimeProgram): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify({ main, assets }));
  hash.update(await readInit());
  for (const file of await firstBootFiles())
    if (file.kind === 'file') hash.update(file.path).update(file.bytes);
  return hash.digest('hex');
}
