import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Router } from 'express';
import { formatImageName, type ImageName, parseImageName } from '#images/format/image-name.ts';
import { isWindowsName } from '#images/format/windows-path.ts';
import { manifestFile, signatureFile } from '#images/stores/named-folder.ts';
import { backupFolder, systemStatesFolder } from '#images/stores/system-state-files.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { notAllowed, sendProblem } from './endpoint.ts';
import { allowed, noSuchFile, sendFile } from './store-access.ts';

/** The system states of a restore's own station, to the job's token: a domain controller is restored from one. */
export function addSystemStateRoute(router: Router, context: ServiceContext): void {
  router.get(`/store/${systemStatesFolder}/*path`, async (request, response) => {
    const job = allowed(context, request, ['job']);
    if ('status' in job) return sendProblem(response, job);
    const parts: unknown = request.params['path'];
    const target = fileOf(Array.isArray(parts) ? parts.map(String) : [], job.station);
    if (target === undefined)
      return sendProblem(response, notAllowed('This token reads the system states of its own station only.'));
    const file = await insideOf(context.store, target.name, target.file);
    if (file === undefined) return sendProblem(response, noSuchFile);
    sendFile(response, file);
  });
}

/** Undefined unless it is the place of a file of a system state of this station. */
function fileOf(
  [station, state = '', ...file]: readonly string[],
  own: string,
): { readonly name: ImageName; readonly file: readonly string[] } | undefined {
  const name = parseImageName(state);
  if (name === null || station !== own || name.station !== own || formatImageName(name) !== state)
    return undefined;
  const [first = '', ...more] = file;
  const isSigned = more.length === 0 && (first === manifestFile || first === signatureFile);
  const isBackup = first === backupFolder && more.length > 1 && more.every(isWindowsName);
  return isSigned || isBackup ? { name, file } : undefined;
}

/**
 * Whoever may write to the store must not make the service hand out its own files, or the state of another station: no
 * link leads to the folder or out of it. A pipe would keep the service waiting.
 */
async function insideOf(
  store: string,
  name: ImageName,
  file: readonly string[],
): Promise<string | undefined> {
  try {
    // Where the store keeps its system states is the operator's: that may be a link to another disk.
    const root = join(await realpath(join(store, systemStatesFolder)), name.station, formatImageName(name));
    const found = await realpath(join(root, ...file));
    return found.startsWith(root + sep) && (await stat(found)).isFile() ? found : undefined;
  } catch {
    return undefined;
  }
}
