import fs from 'node:fs';
import path from 'node:path';
import { workerEntries } from '#base/worker-threads.ts';
import { bundle } from '../runtime/bundle.ts';
import { buildSingleExecutable } from '../runtime/single-executable.ts';

/** The engines as the recovery runtime has them: bundled, in a single executable, workers as its assets. */
export async function buildEngine(folder: string): Promise<string> {
  const assets: Record<string, string> = {};
  for (const [name, entry] of Object.entries(workerEntries)) assets[`${name}.cjs`] = await bundle(entry);
  assets['bare-loop.cjs'] = await bundle('scripts/bench/bare-loop.ts');
  const executable = await buildSingleExecutable({
    main: await bundle('scripts/bench/engine.ts'),
    assets,
    workDirectory: folder,
  });
  const file = path.join(folder, 'engine');
  fs.writeFileSync(file, executable, { mode: 0o755 });
  return file;
}
