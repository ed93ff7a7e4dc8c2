import type { Command } from 'commander';
import { parseImageRef } from '#images/format/image-name.ts';
import { readManifest, resolveImage } from '#images/stores/image-folder.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';

export function showCommand(): Command {
  return imageVerb('show')
    .description('print the manifest of an image, after checking its signature')
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .action(async (ref: string, options: StoreOption) => {
      const { store, key } = await openImages(options);
      const name = await resolveImage(store, parseImageRef(ref));
      const { manifest } = await readManifest(store, name, key);
      console.log(JSON.stringify(manifest, null, 2));
    });
}
