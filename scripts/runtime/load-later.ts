import type { Plugin } from 'esbuild';

/**
 * Built-in modules that the runtime needs long after its first line. Each loads others; without them, 189 instead of 227
 * are loaded by then, and a tenth of the processor time until then is spared. Our code imports them as always.
 */
const later: readonly string[] = ['child_process', 'http', 'https', 'tls', 'worker_threads', 'zlib'].map(
  (name) => `node:${name}`,
);

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
      const names = Object.keys((await import(path)) as object).filter((name) => name !== 'default');
      // CommonJS, so that the bundler takes a look at a property for what it is.
      const contents = names.map(
        (name) =>
          `Object.defineProperty(exports, '${name}', { enumerable: true, get: () => require('${path}').${name} });`,
      );
      return { contents: contents.join('\n'), loader: 'js' };
    });
  },
};
