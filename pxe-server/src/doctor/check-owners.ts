import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { SitePaths } from '../site/site-paths.ts';
import { userOfUnit } from '../site/systemd-unit.ts';
import { type Finding, problem } from './finding.ts';

/**
 * Secrets that only their owner may read, and that the service has to. It runs as the user whom its systemd unit names;
 * where no unit is installed for this site, whoever has the site folder is taken for that user. Root, who asks the
 * doctor, may read everything and would not notice.
 * @param unitFile of systemd
 */
export async function checkOwners(paths: SitePaths, unitFile?: string): Promise<Finding[]> {
  const user = await userOfUnit(paths.folder, unitFile);
  const service = user === undefined ? await ownerOf(paths.folder) : await idOf(user);
  if (user !== undefined && service === undefined) {
    return [
      problem(
        'owners',
        `The systemd unit runs the service as the user ${user}, who does not exist.`,
        `useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin ${user} && chown -R ${user}: ${paths.folder}`,
      ),
    ];
  }
  // The service of root reads what it likes.
  if (service === undefined || service === 0) return [];
  if (user !== undefined && (await ownerOf(paths.folder)) !== service) {
    const sentence = `${paths.folder} is not of the user ${user}, as whom the systemd unit runs the service: it may not read its keys.`;
    return [problem('owners', sentence, `chown -R ${user}: ${paths.folder}`)];
  }
  const secrets = [paths.imageSigningKey, paths.serverKey, paths.caKey];
  const state = ['', '-wal', '-shm'].map((end) => `${paths.state}${end}`);
  const owners = await Promise.all([...secrets, ...state].map(ownerOf));
  const foreign = [...secrets, ...state].filter(
    (_, at) => owners[at] !== undefined && owners[at] !== service,
  );
  return foreign.map((file) =>
    problem(
      'owners',
      `${file} is not of the user whose site folder this is: a service of that user may not read it.`,
      `chown --reference=${paths.folder} ${file}`,
    ),
  );
}

/** Undefined: it is not there, or may not be looked at. */
function ownerOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ uid }) => uid,
    () => undefined,
  );
}

/** Undefined: there is no such user. */
function idOf(user: string): Promise<number | undefined> {
  return promisify(execFile)('id', ['-u', '--', user]).then(
    ({ stdout }) => Number(stdout),
    () => undefined,
  );
}
