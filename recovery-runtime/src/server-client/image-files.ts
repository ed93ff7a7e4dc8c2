import { RekindleError } from '#base/errors.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { HttpStoreRef } from '#images/stores/chunk-store.ts';
import { assertListedFile } from '#images/stores/image-folder.ts';
import type { ServerClient } from './server-client.ts';

/** Where a job finds its image, and what it may read it with. */
export interface ImageLocation {
  readonly token: string;
  /** Path of the image store on the service. */
  readonly storePath: string;
  /** STATION@<UTC time> */
  readonly image: string;
}

/** The store behind the service, with this job's token. */
export function storeOverHttps(
  { address }: ServerClient,
  { token, storePath }: Pick<ImageLocation, 'token' | 'storePath'>,
): HttpStoreRef {
  const { ca, serverName, url } = address;
  return { kind: 'http', url: new URL(storePath, url).href, token, tls: { ca, serverName } };
}

/** `<store>/images/<STATION>/<STATION>_<UTC time>/<name>` (DESIGN section 5). */
export function imageFilePath(storePath: string, imageName: string, name: string): string {
  const station = imageName.slice(0, imageName.lastIndexOf('_'));
  return `${storePath}/images/${[station, imageName, name].map(encodeURIComponent).join('/')}`;
}

/**
 * A file of the image as its signed manifest describes it.
 * @throws RekindleError `verification-failed` when it is not in the manifest or not what that says
 */
export async function readImageFile(
  server: ServerClient,
  { token, storePath, image }: ImageLocation,
  manifest: ImageManifest,
  name: string,
): Promise<Buffer> {
  const doing = `reading ${name} of ${image}`;
  const listed = manifest.files.find((file) => file.name === name);
  if (listed === undefined) {
    throw new RekindleError('verification-failed', doing, {
      cause: new Error('the signed manifest does not list this file'),
      next: 'Choose another image of this station, and verify this one (rekindle image verify).',
    });
  }
  const bytes = await server.getBytes({
    doing,
    path: imageFilePath(storePath, image.replace('@', '_'), name),
    token,
  });
  assertListedFile(bytes, listed, image);
  return bytes;
}
