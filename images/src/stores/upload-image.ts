import { formatImageName, type ImageName } from '../format/image-name.ts';
import type { HttpStoreRef } from './chunk-store.ts';
import { refusedByStore } from './http-refusal.ts';
import { createHttpClient } from './http-request.ts';
import { imagesFolder, manifestFile, signatureFile } from './image-folder.ts';
import type { ImageFiles } from './publish-image.ts';

/** Publishes an image on a web server that takes `PUT`: the manifest comes last, and without it there is no image. */
export async function uploadImage(ref: HttpStoreRef, name: ImageName, image: ImageFiles): Promise<void> {
  const client = createHttpClient(ref);
  try {
    const files = [
      ...image.files,
      { name: signatureFile, bytes: Buffer.from(image.signature) },
      { name: manifestFile, bytes: image.manifestBytes },
    ];
    for (const { name: file, bytes } of files) {
      const path = `/${[imagesFolder, name.station, formatImageName(name), file].join('/')}`;
      const reply = await client.request('PUT', path, { body: bytes, type: 'application/octet-stream' });
      if (![200, 201, 204].includes(reply.status)) throw refusedByStore(`Writing ${file}`, ref, reply);
    }
  } finally {
    client.close();
  }
}
