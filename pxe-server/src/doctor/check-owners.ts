import { stat } from 'node:fs/promises';
import type { SitePaths } from '../site/site-paths.ts';
import { type Finding, problem } from './finding.ts';

/**
 * Secrets that only their owner may read, and that the service has to: it runs as the owner of the site folder. Root,
 * who asks the doctor, may read everything and would not notice.
 */
export async function checkOwners(paths: SitePaths): Promise<Finding[]> {
  const ownerOf = (file: string) =>
    stat(file).then(
      ({ uid }) => uid,
      () => undefined,
    );
  const owner = await ownerOf(paths.folder);
  // The service of root reads what it likes.
  if (owner === undefined || owner === 0) return [];
  const secrets = [paths.imageSigningKey, paths.serverKey, paths.caKey];
  const state = ['', '-wal', '-shm'].map((end) => `${paths.state}${end}`);
  const owners = await Promise.all([...secrets, ...state].map(ownerOf));
  const foreign = [...secrets, ...state].filter((_, at) => owners[at] !== undefined && owners[at] !== owner);
  return foreign.map((file) =>
    problem(
      'owners',
      `${file} is not of the user whose site folder this is: a service of that user may not read it.`,
      `chown --reference=${paths.folder} ${file}`,
    ),
  );
}
