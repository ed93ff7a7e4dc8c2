import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import type { LabNetwork } from './lab-network.ts';
import type { Credentials } from './technician.ts';

/** A site of its own for one rehearsal, made and served with the same commands that a plant uses. */
export interface LabSite extends AsyncDisposable {
  readonly directory: string;
  readonly store: string;
  readonly credentials: Credentials;
  /** Runs `rekindle …` for this site; answers what it printed. Fails with its messages as cause. */
  rekindle(...args: readonly string[]): Promise<string>;
  /** Ends the service in order. */
  stop(): Promise<void>;
}

export interface LabSiteRequest {
  readonly directory: string;
  readonly network: LabNetwork;
  /** Where the service's log goes. */
  readonly evidence: string;
  readonly configuration?: LabSiteConfiguration;
  /** The runtime as a plant builds it; otherwise it is compressed in a second instead of a minute. */
  readonly asShipped?: boolean;
}

/** Text of the site's `rekindle.yaml`. */
export type LabSiteConfiguration = (address: string, interfaceName: string) => string;

const command = path.join(import.meta.dirname, '..', 'rekindle.ts');
const credentials: Credentials = { technician: 'lab-technician', password: 'rehearse-every-quarter' };
const readySeconds = 30;

export const reservationConfiguration: LabSiteConfiguration = (
  address,
  interfaceName,
) => `interface: ${interfaceName}
address: ${address}
dhcp:
  mode: reservation
  stations: { from: 10.77.0.100, to: 10.77.0.149 }
  enrolmentPool: { from: 10.77.0.200, to: 10.77.0.219 }
`;

export async function openLabSite({
  directory,
  network,
  evidence,
  configuration = reservationConfiguration,
  asShipped = false,
}: LabSiteRequest): Promise<LabSite> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const passwordFile = path.join(directory, '..', 'technician-password');
  await writeFile(passwordFile, `${credentials.password}\n`, { mode: 0o600 });

  const rekindle = (...args: readonly string[]): Promise<string> =>
    runVerb(args, network.inside([process.execPath, command, ...args, '--site', directory]));
  await rekindle(
    'init',
    ...['--interface', network.interfaceName, '--address', network.serverAddress, '--mode', 'reservation'],
    ...['--user', credentials.technician, '--password-file', passwordFile],
  );
  const yaml = configuration(network.serverAddress, network.interfaceName);
  await writeFile(
    path.join(directory, 'rekindle.yaml'),
    // Where the rehearsal is not about the boot menu nobody presses a key in it: switching on says what is wanted.
    /^boot:/m.test(yaml) ? yaml : `${yaml}boot: { withoutKey: recovery, menuSeconds: 1 }\n`,
  );
  // The only verb that needs the world outside of the lab: it may have to fetch Debian's kernel.
  const build = ['runtime', 'build', ...(asShipped ? [] : ['--fast'])];
  await runVerb(build, [process.execPath, command, ...build, '--site', directory]);

  const { stop } = await serveSite({ network, directory, log: path.join(evidence, 'service.log') });
  return {
    directory,
    store: path.join(directory, 'images'),
    credentials,
    rekindle,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export interface ServedSite extends AsyncDisposable {
  /** Ends the service in order. */
  stop(): Promise<void>;
}

export interface SiteToServe {
  readonly network: LabNetwork;
  readonly directory: string;
  readonly log: string;
  /** Folder that the service sees mounted read-only. */
  readonly readOnly?: string;
}

/** Starts `rekindle serve` in the lab's network. */
export async function serveSite(site: SiteToServe): Promise<ServedSite> {
  const service = await startService(site);
  const stop = async (): Promise<void> => {
    if (service.exitCode !== null || service.signalCode !== null) return;
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    await ended;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

/** `ip netns exec` gives the command a mount namespace of its own: nobody else sees this. */
const mountReadOnly = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';

function runVerb(verb: readonly string[], [program, ...args]: [string, ...string[]]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      reject(
        new RekindleError('unexpected', `rekindle ${verb.join(' ')} failed in the lab`, {
          cause: new Error(`${stdout}${stderr}`.trim()),
        }),
      );
    });
  });
}

/** Resolves when the service says that it is ready; its log goes on into the file. */
async function startService({ network, directory, log, readOnly }: SiteToServe): Promise<ChildProcess> {
  const serve = [process.execPath, command, 'serve', '--json', '--site', directory];
  const [program, ...args] = network.inside(
    readOnly === undefined ? serve : ['sh', '-c', mountReadOnly, 'sh', readOnly, ...serve],
  );
  const service = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const file = createWriteStream(log);
  service.stdout.pipe(file, { end: false });
  service.stderr.pipe(file, { end: false });
  const ending = new AbortController();
  const ready = (async () => {
    for await (const bytes of on(service.stdout, 'data', { signal: ending.signal })) {
      if (String(bytes).includes('is ready on')) return;
    }
  })();
  const ended = once(service, 'exit', { signal: ending.signal }).then(([status]) => {
    throw new Error(`it ended with status ${status}`);
  });
  const late = sleep(readySeconds * 1000, undefined, { signal: ending.signal }).then(() => {
    throw new Error(`it was not ready after ${readySeconds} s`);
  });
  try {
    await Promise.race([ready, ended, late]);
    return service;
  } catch (cause) {
    service.kill('SIGKILL');
    throw new RekindleError('unexpected', 'the netboot service of the lab did not start', {
      cause,
      next: `Read ${log}.`,
    });
  } finally {
    for (const waiting of [ready, ended, late]) waiting.catch(() => undefined);
    ending.abort();
  }
}
