import type { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { distinctChunkIds, parseDiskIndex } from '#images/format/disk-index.ts';
import { formatImageRef, type ImageName, parseImageRef } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { readListedFile, readManifest, resolveImage } from '#images/stores/image-folder.ts';
import { openStore } from '#images/stores/open-store.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';

export function verifyCommand(): Command {
  return imageVerb('verify')
    .description('check signature, files and every chunk of an image')
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .action(async (ref: string, options: StoreOption) => {
      const { store, key } = await openImages(options);
      await verify(store, await resolveImage(store, parseImageRef(ref)), key);
    });
}

/** A chunk that is bad is named, and the rest is checked all the same. */
async function verify(store: string, name: ImageName, key: PublicKey): Promise<void> {
  const { manifest } = await readManifest(store, name, key);
  for (const { name: file } of manifest.files) await readListedFile(store, name, manifest, file);
  const problems: string[] = [];
  let checked = 0;
  for (const { diskIndex } of manifest.disks) {
    const index = parseDiskIndex(await readListedFile(store, name, manifest, diskIndex), diskIndex);
    const chunks = openStore({ kind: 'directory', path: store }, index.digest);
    for (const id of distinctChunkIds(index)) {
      await chunks.get(id).catch((error: unknown) => {
        problems.push(error instanceof Error ? error.message : String(error));
      });
      checked += 1;
    }
    await chunks.close();
  }
  if (problems.length > 0) {
    throw new RekindleError(
      'verification-failed',
      `Image ${formatImageRef(name)} has ${problems.length} bad chunks of ${checked}:\n  ${problems.slice(0, 20).join('\n  ')}`,
      { next: 'Copy these chunks from a second store, or capture the station again.' },
    );
  }
  console.log(
    `Image ${formatImageRef(name)} is whole: signature, ${manifest.files.length} files, ${checked} chunks.`,
  );
}
