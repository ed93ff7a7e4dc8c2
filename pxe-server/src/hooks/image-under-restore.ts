import { formatImageRef, parseImageName } from '#images/format/image-name.ts';
import { readManifest } from '#images/stores/image-folder.ts';
import type { Job } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import type { ImageUnderRestore } from './server-hook.ts';

/** The image of a job, as its signed manifest describes it. Undefined: the job has none. @throws RekindleError */
export async function readImageUnderRestore(
  { store, signingKey }: Pick<ServiceContext, 'store' | 'signingKey'>,
  { imageName }: Pick<Job, 'imageName'>,
): Promise<ImageUnderRestore | undefined> {
  const name = parseImageName(imageName);
  if (name === null) return undefined;
  const { manifest } = await readManifest(store, name, signingKey);
  return {
    ref: formatImageRef(name),
    manifest,
    store: { source: { kind: 'directory', path: store }, key: signingKey },
  };
}
