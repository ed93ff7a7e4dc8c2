import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { describeShare, type Share } from '#contract/share.ts';
import { guardAgainstHang } from './hang-guard.ts';
import { followKernelLog } from './kernel-log.ts';
import { type MountCall, planMountCall, type ShareAccess } from './mount-call.ts';
import { explainMountFailure } from './mount-failure.ts';
import { loadShareModules } from './share-modules.ts';

/** A share in the file system of this machine, for as long as one job takes. */
export interface MountedShare extends AsyncDisposable {
  readonly folder: string;
  /** For messages; no secret in it. */
  readonly description: string;
  /** It gave no answer for so long that it was cut loose. */
  readonly hung: boolean;
}

const ports: Readonly<Record<Share['kind'], number>> = { smb: 445, nfs: 2049 };
const below = '/run/rekindle';
const reachSeconds = 10;
const mountSeconds = 60;
const answerSeconds = 60;
const unmountSeconds = 20;

/**
 * Mounts the share that a job names. The password goes to the mount program's descriptor 3.
 * @throws RekindleError `store-unreachable` with the reason in words, `usage` when the runtime lacks the means
 */
export async function mountShare(share: Share, access: ShareAccess): Promise<MountedShare> {
  const description = describeShare(share);
  const refuse = (sentence: string, next: string): RekindleError =>
    new RekindleError('store-unreachable', `mounting the image store ${description}`, {
      cause: new Error(sentence),
      next,
    });
  await loadShareModules(share.kind);
  const silence = await reach(share);
  if (silence !== undefined) {
    throw refuse(
      `${share.server} (${share.address}) does not answer at port ${ports[share.kind]}: ${silence}`,
      "Check that the share's server runs and that this station's network reaches it, then try again.",
    );
  }
  await mkdir(below, { recursive: true });
  const folder = await mkdtemp(join(below, 'store-'));
  const log = followKernelLog();
  try {
    const { status, said } = await callMount(planMountCall(share, folder, access));
    if (status !== 0) {
      const { sentence, next } = explainMountFailure(share, [...log.read(), ...said]);
      throw refuse(sentence, next);
    }
  } catch (error) {
    await rmdir(folder).catch(() => {});
    throw error;
  } finally {
    log.close();
  }
  const guard = guardAgainstHang(folder);
  const mounted: MountedShare = {
    folder,
    description,
    get hung() {
      return guard.hung;
    },
    async [Symbol.asyncDispose]() {
      guard.stop();
      await unmount(folder);
    },
  };
  const unusable = await tryAccess(folder, access);
  if (unusable !== undefined) {
    await mounted[Symbol.asyncDispose]();
    throw refuse(
      unusable,
      access === 'write'
        ? 'Give write access on the share and on its folder for captures, then try again.'
        : "Give read access on the share and on its folder, on the share's server, then try again.",
    );
  }
  return mounted;
}

/** The kernel's own wait for a connection is long, and its reason is lost on the way. */
function reach({ kind, address }: Share): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port: ports[kind] });
    const end = (reason?: string): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(reachSeconds * 1000, () => end(`nothing for ${reachSeconds} s`));
    socket.once('connect', () => end());
    socket.once('error', (error) => end(error.message));
  });
}

interface Called {
  readonly status: number | null;
  readonly said: readonly string[];
}

function callMount({ program, args, env, secret }: MountCall): Promise<Called> {
  return new Promise((resolve, reject) => {
    // Nothing of this program's environment; a mount that hangs in the kernel is left behind.
    const child = spawn(program, args, {
      env: { PATH: '/bin', LC_ALL: 'C', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (part: Buffer) => {
        text += part.toString();
      });
    }
    const said = (): string[] => text.split('\n');
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.unref();
      resolve({ status: null, said: [...said(), `timed out after ${mountSeconds} s`] });
    }, mountSeconds * 1000);
    child.once('error', (cause) => {
      clearTimeout(timer);
      reject(
        new RekindleError('usage', `${program} did not start`, {
          cause,
          next: 'Build the runtime again on the Rekindle server (rekindle runtime build), then boot again.',
        }),
      );
    });
    child.once('close', (status) => {
      clearTimeout(timer);
      resolve({ status, said: said() });
    });
    const pipe = child.stdio[3] as NodeJS.WritableStream | null | undefined;
    // A mount program that ends before it reads says why on its own.
    pipe?.on('error', () => {});
    // Without a line's end: mount.cifs takes it for a part of the password.
    pipe?.end(secret ?? '');
  });
}

/** A mount proves little: the right to list and, for a capture, to write shows at the first try only. */
async function tryAccess(folder: string, access: ShareAccess): Promise<string | undefined> {
  const attempt = async (): Promise<string | undefined> => {
    try {
      await readdir(folder);
    } catch (error) {
      return `its folder cannot be read (${messageOf(error)})`;
    }
    if (access === 'read') return undefined;
    const file = join(folder, `.rekindle-${process.pid}-${Date.now()}.tmp`);
    try {
      await writeFile(file, 'written by a capture to see whether it may\n', { flush: true });
      await rm(file);
      return undefined;
    } catch (error) {
      return `nothing can be written there (${messageOf(error)})`;
    }
  };
  const silent = sleep(answerSeconds * 1000, `no answer for ${answerSeconds} s`, { ref: false });
  return await Promise.race([attempt(), silent]);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** In order, then by force, then out of sight: the machine must go on whatever the server does. */
async function unmount(folder: string): Promise<void> {
  for (const options of [[], ['-f'], ['-f', '-l']]) {
    if (await runsWithin('/bin/busybox', ['umount', ...options, folder], unmountSeconds)) break;
  }
  await rmdir(folder).catch(() => {});
}

function runsWithin(program: string, args: readonly string[], seconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'ignore' });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.unref();
      resolve(false);
    }, seconds * 1000);
    const end = (status: number | null): void => {
      clearTimeout(timer);
      resolve(status === 0);
    };
    child.once('error', () => end(null));
    child.once('exit', end);
  });
}
