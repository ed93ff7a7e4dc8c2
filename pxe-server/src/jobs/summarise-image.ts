import { errorChain } from '#base/errors.ts';
import type { ImageSummary } from '#contract/api.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { readManifest } from '#images/stores/image-folder.ts';
import type { ServiceContext } from '../serve/service-context.ts';

/** Undefined for an image whose manifest is damaged or not signed by this site: nobody shall choose it. */
export async function summariseImage(
  { store, signingKey, log }: Pick<ServiceContext, 'store' | 'signingKey' | 'log'>,
  name: ImageName,
): Promise<ImageSummary | undefined> {
  try {
    const { manifest } = await readManifest(store, name, signingKey);
    const volumes = manifest.disks.flatMap((disk) => disk.volumes);
    return {
      ref: formatImageRef(name),
      capturedAt: manifest.capturedAt,
      consistency: manifest.consistency,
      diskBytes: sum(manifest.disks.map(({ sizeBytes }) => sizeBytes)),
      usedBytes: sum(volumes.map(({ usedBytes }) => usedBytes)),
    };
  } catch (error) {
    log.error({ image: formatImageRef(name), reasons: errorChain(error) }, 'image left out of the list');
    return undefined;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
