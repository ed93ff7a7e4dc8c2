import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { createNetwork, type Network, type NetworkNamespace, type RunResult } from './network-namespace.ts';

/** `rekindle serve` at 10.77.0.1 as a plant has it, with files that nobody boots, and computers beside it. */
export interface ServedSite<Name extends string> extends AsyncDisposable {
  readonly lan: Network<Name | 'server'>;
  readonly folder: string;
  readonly site: string;
  /** Process id of the service; another one after `restart`. */
  readonly pid: number;
  /** Null while it runs, and when a signal ended it. */
  exitCode(): number | null;
  /** Ends the service in order, and starts it again. */
  restart(): Promise<void>;
  /** Everything it printed. */
  said(): string;
  /** A verb for this site, on the server. */
  rekindle(...args: readonly string[]): Promise<RunResult>;
}

export interface ServedSiteRequest<Name extends string> {
  readonly members: Readonly<Record<Name, { readonly address: string; readonly mac?: string }>>;
  readonly init?: readonly string[];
  /** More of `rekindle.yaml`. */
  readonly yaml?: string;
  readonly runtimeBytes?: number;
  /** What the service is started through, as another user say; called with the site's folder when that is ready. */
  readonly runAs?: (site: string) => readonly string[];
}

export const rekindleScript = join(import.meta.dirname, '..', '..', 'scripts', 'rekindle.ts');

export async function startServedSite<Name extends string>(
  request: ServedSiteRequest<Name>,
): Promise<ServedSite<Name>> {
  const { members, init = [], yaml = '', runtimeBytes = 8_000_000, runAs = () => [] } = request;
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-served-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const site = join(folder, 'site');
  const lan = stack.use(
    await createNetwork({ server: { address: '10.77.0.1/24' }, ...members } as Record<
      Name | 'server',
      { address: string; mac?: string }
    >),
  );
  const { server } = lan.members;
  const rekindle = (...args: readonly string[]) =>
    server.run(process.execPath, [rekindleScript, ...args, '--site', site], { seconds: 60 });
  writeFileSync(join(folder, 'password'), 'correct horse battery\n');
  const made = await rekindle(
    'init',
    '--interface',
    'eth0',
    '--password-file',
    join(folder, 'password'),
    ...init,
  );
  if (made.code !== 0) throw new Error(`rekindle init: ${made.stderr}`);
  makeServedRuntime(site, runtimeBytes);
  appendFileSync(sitePaths(site).configuration, yaml);

  let printed = '';
  const start = () => startServing(server, site, runAs(site), (text) => (printed += text));
  let child = await start();
  const held = stack.move();
  return {
    ...{ lan, folder, site, rekindle, exitCode: () => child.exitCode, said: () => printed },
    get pid() {
      return Number(child.pid);
    },
    async restart() {
      await stopServing(child, 'SIGTERM');
      child = await start();
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** What `rekindle runtime build` would make, of a kernel without modules: packs for it are empty. */
export function makeServedRuntime(site: string, runtimeBytes = 8_000_000): void {
  const paths = sitePaths(site);
  const modulesDirectory = join(site, 'modules');
  for (const each of [modulesDirectory, paths.packs, join(paths.kernel, '..')])
    mkdirSync(each, { recursive: true });
  for (const table of ['dep', 'alias', 'softdep'])
    writeFileSync(join(modulesDirectory, `modules.${table}`), '');
  writeFileSync(paths.kernel, Buffer.alloc(3_000_000, 'kernel'));
  writeFileSync(paths.runtimeImage, Buffer.alloc(runtimeBytes, 'runtime'));
  writeFileSync(join(paths.packs, 'universal.img'), 'universal');
  const [version, packageVersion] = ['6.1.0-1-amd64', '6.1.1-1'];
  writeFileSync(
    paths.kernelRecord,
    JSON.stringify({ version, packageVersion, vmlinuz: paths.kernel, modulesDirectory }),
  );
}

/** `rekindle serve`, once it says that it is ready. @param before what it is started through, as another user say */
export async function startServing(
  server: NetworkNamespace,
  site: string,
  before: readonly string[] = [],
  onOutput: (text: string) => void = () => {},
): Promise<ChildProcessWithoutNullStreams> {
  const [program = '', ...args] = [...before, process.execPath, rekindleScript, 'serve', '--site', site];
  const child = server.spawn(program, args);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      onOutput(bytes.toString());
    });
  const ended = once(child, 'close');
  for (const until = Date.now() + 30_000; !said.includes('Rekindle is ready'); ) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`rekindle serve: ${said}`);
    await Promise.race([once(child.stdout, 'data'), ended, new Promise((done) => setTimeout(done, 500))]);
  }
  return child;
}

/** @returns its exit code; null when a signal ended it */
export async function stopServing(
  child: ChildProcessWithoutNullStreams,
  signal: NodeJS.Signals,
): Promise<number | null> {
  const closed = once(child, 'close');
  // The process is `ip netns exec`, which becomes the program it runs.
  process.kill(Number(child.pid), signal);
  const [code] = (await closed) as [number | null];
  return code;
}
