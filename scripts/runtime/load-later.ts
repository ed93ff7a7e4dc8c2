import type { Plugin } from 'esbuild';
import { runTool } from '#base/run-tool.ts';

/**
 * Built-in modules that the runtime needs after its first line, most of them long after it. Each loads others: `tty` alone
 * costs a tenth or more of what an empty Node takes to start. Our code imports them as always.
 */
const later: readonly string[] = [
  'child_process',
  'http',
  'https',
  'tls',
  'tty',
  'worker_threads',
  'zlib',
].map((name) => `node:${name}`);

let asked: Promise<Record<string, readonly string[]>> | undefined;

/** What each of them exports, of the Node that will run the bundle: ours may be another. */
function exportedNames(): Promise<Record<string, readonly string[]>> {
  asked ??= askNode();
  return asked;
}

async function askNode(): Promise<Record<string, readonly string[]>> {
  // Only now: probes carry the bundler into the runtime, where that package is not there to be found.
  const { nodeBinary } = await import('./single-executable.ts');
  const node = { command: nodeBinary, debianPackage: 'libatomic1' };
  const program = `JSON.stringify(Object.fromEntries(${JSON.stringify(later)}.map((m) => [m, Object.keys(require(m))])))`;
  const text = await runTool("asking the runtime's Node what its modules export", node, ['-p', program]);
  return JSON.parse(text) as Record<string, readonly string[]>;
}

/** For bundles: these modules are loaded when something of them is first used. */
export const loadLater: Plugin = {
  name: 'load-later',
  setup(build) {
    const filter = new RegExp(`^(${later.join('|')})$`);
    const namespace = 'load-later';
    build.onResolve({ filter }, ({ path, namespace: from }) =>
      from === namespace ? { path, external: true } : { path, namespace },
    );
    build.onLoad({ filter, namespace }, async ({ path }) => {
      const names = (await exportedNames())[path] ?? [];
      // CommonJS, so that the bundler takes a look at a property for what it is.
      const contents = [
        `let loaded; const load = () => (loaded ??= require('${path}'));`,
        ...names.map(
          (name) =>
            `Object.defineProperty(exports, '${name}', { enumerable: true, get: () => load().${name} });`,
        ),
      ];
      return { contents: contents.join('\n'), loader: 'js' };
    });
  },
};
