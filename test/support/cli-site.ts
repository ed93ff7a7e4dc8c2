import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { formatSecretKey } from '#images/format/minisign.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { captureKey } from './capture-image-of.ts';

/** A site folder whose key is that of `captureImageOf`, for tests of the command line. */
export async function makeCliSite(folder: string): Promise<string> {
  const paths = sitePaths(path.join(folder, 'site'));
  fs.mkdirSync(path.dirname(paths.imageSigningKey), { recursive: true });
  fs.writeFileSync(paths.imageSigningKey, formatSecretKey(captureKey), { mode: 0o600 });
  await createSite(paths, { interface: 'lo', address: '127.0.0.1', dhcp: { mode: 'proxy' } });
  openState(paths.state, { create: true }).close();
  return paths.folder;
}

/** A running `rekindle …`, killed at the end of the test at the latest. */
export interface RunningCli extends AsyncDisposable {
  readonly process: ChildProcessWithoutNullStreams;
  output(): string;
  /** Resolves when the output contains the words; throws when it ends without them. */
  said(words: string): Promise<void>;
  /** Null after a signal. */
  readonly exitCode: Promise<number | null>;
}

export function startCli(...args: string[]): RunningCli {
  const child = spawn(process.execPath, ['scripts/rekindle.ts', ...args]);
  let output = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const exitCode = once(child, 'close').then(([code]) => {
    ended = true;
    return code as number | null;
  });
  return {
    process: child,
    output: () => output,
    exitCode,
    async said(words) {
      while (!output.includes(words)) {
        if (ended) throw new Error(`it ended without "${words}":\n${output}`);
        await Promise.race([exitCode, once(child.stdout, 'data'), once(child.stderr, 'data')]);
      }
    },
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill('SIGKILL');
      await exitCode;
    },
  };
}
