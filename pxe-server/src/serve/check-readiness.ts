import { access, constants, stat } from 'node:fs/promises';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { type ShareConfiguration, shareKind } from '../config/share-configuration.ts';
import { readPasswordFile, siteFile } from '../site/password-file.ts';
import { readServedShare } from '../site/served-share.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { State } from '../site/state.ts';
import { hasPack, packFile, universalPack } from '../stations/station-pack.ts';
import { listStations } from '../stations/station-registry.ts';
import { countUsers } from '../users/user-store.ts';
import { checkFreeSpace } from './check-free-space.ts';

/** One thing that stands in the way, and what to do about it. */
export interface ReadinessProblem {
  readonly problem: string;
  readonly next: string;
}

export interface Readiness {
  /** Without these the service does not start. */
  readonly problems: readonly ReadinessProblem[];
  /** It starts, but somebody at a station would find out. */
  readonly warnings: readonly ReadinessProblem[];
}

/** What is not a port: files, keys, users, packs. Ports and addresses answer for themselves when they are opened. */
export async function checkReadiness(
  paths: SitePaths,
  state: State,
  store: string,
  share?: ShareConfiguration,
): Promise<Readiness> {
  const build = 'Build it: rekindle runtime build';
  const problems = [
    await checkReadable(paths.kernel, 'The kernel', build),
    await checkReadable(paths.runtimeImage, 'The recovery runtime', build),
    await checkPrivate(paths.imageSigningKey),
    await checkPrivate(paths.serverKey),
    await checkPrivate(paths.caKey),
    await checkWritable(store),
    await checkPassword(paths, share),
    await checkRuntimeMounts(paths, share),
  ].filter((problem) => problem !== undefined);
  const warnings = [
    await checkFreeSpace(store),
    countUsers(state) === 0
      ? { problem: 'Nobody may log on: there is no user.', next: 'rekindle user add NAME --role technician' }
      : undefined,
    hasPack(paths, universalPack)
      ? undefined
      : {
          problem: `Machines that are not enrolled yet cannot boot: ${packFile(paths, universalPack)} is missing.`,
          next: 'rekindle driver-pack build universal',
        },
    ...listStations(state)
      .filter(({ name }) => !hasPack(paths, name))
      .map(({ name }) => ({
        problem: `Station ${name} cannot be recovered: it has no driver pack.`,
        next: `rekindle driver-pack build ${name}`,
      })),
  ].filter((warning) => warning !== undefined);
  return { problems, warnings };
}

/** All problems in one error, each with its advice. */
export function readinessError(problems: readonly ReadinessProblem[]): RekindleError {
  const lines = problems.map(({ problem, next }) => `  - ${problem}\n    ${next}`);
  return new RekindleError('usage', `The service cannot start:\n${lines.join('\n')}`, {
    next: 'Put these right, then start again.',
  });
}

async function checkReadable(
  file: string,
  what: string,
  next: string,
): Promise<ReadinessProblem | undefined> {
  const readable = await isAccessible(file, constants.R_OK);
  return readable ? undefined : { problem: `${what} ${file} is not there or cannot be read.`, next };
}

async function checkWritable(folder: string): Promise<ReadinessProblem | undefined> {
  const writable = await isAccessible(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  if (writable) return undefined;
  return {
    problem: `The image store ${folder} is not there or cannot be written.`,
    next: 'Mount the disk or share that holds it, or correct `store` in rekindle.yaml.',
  };
}

async function checkPrivate(file: string): Promise<ReadinessProblem | undefined> {
  const info = await stat(file).catch((error: unknown) => (isAbsent(error) ? undefined : null));
  if (info === undefined) {
    return { problem: `The key ${file} is missing.`, next: 'Put it back from a copy, or run rekindle init.' };
  }
  if (info === null || !(await isAccessible(file, constants.R_OK))) {
    return {
      problem: `The key ${file} may not be read by this user.`,
      next: 'Run it as root (sudo), or as the user whose site folder this is.',
    };
  }
  if ((info.mode & 0o077) === 0) return undefined;
  return { problem: `The key ${file} can be read by other users.`, next: `chmod 600 ${file}` };
}

/** Nobody at a station can put this file right. */
async function checkPassword(
  paths: SitePaths,
  share: ShareConfiguration | undefined,
): Promise<ReadinessProblem | undefined> {
  if (share?.passwordFile === undefined) return undefined;
  return readPasswordFile('the share', siteFile(share.passwordFile, paths.folder)).then(
    () => undefined,
    (error: Error & { next?: string }) => ({
      problem: `${error.message}.`,
      next: error.next ?? 'Correct share.passwordFile in rekindle.yaml.',
    }),
  );
}

async function checkRuntimeMounts(
  paths: SitePaths,
  share: ShareConfiguration | undefined,
): Promise<ReadinessProblem | undefined> {
  const wanted = shareKind(share);
  if (wanted === null) return undefined;
  // A record that cannot be read is mended like one that is not there.
  if ((await readServedShare(paths).catch(() => null)) === wanted) return undefined;
  return {
    problem: `The recovery runtime was not built to mount ${wanted.toUpperCase()} shares.`,
    next: 'Build it again: rekindle runtime build',
  };
}

async function isAccessible(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
