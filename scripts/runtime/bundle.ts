import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { RekindleError } from '#base/errors.ts';
import { loadLater } from './load-later.ts';

/** The project's root folder. */
export const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Bundles an entry and all that it imports into one CommonJS text, which is what a single executable runs.
 * @throws RekindleError `unexpected` with the bundler's words, e.g. for an `await` outside of a function.
 */
export async function bundle(entry: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      absWorkingDir: projectRoot,
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node26',
      format: 'cjs',
      plugins: [loadLater],
      legalComments: 'none',
      logLevel: 'silent',
      // Only read when the code runs from source (worker-threads.ts).
      define: { 'import.meta.url': '"file:///rekindle/recovery-runtime"' },
    });
    return outputFiles[0]?.text ?? '';
  } catch (cause) {
    throw new RekindleError('unexpected', `cannot bundle ${entry}`, { cause });
  }
}
