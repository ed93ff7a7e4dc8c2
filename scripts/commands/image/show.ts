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
      const name = resolveImage(store, parseImageRef(ref));
      console.log(JSON.stringify(readManifest(store, name, key).manifest, null, 2));
    });
}
