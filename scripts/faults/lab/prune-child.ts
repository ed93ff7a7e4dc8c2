import { exitCodeOf, formatError } from '#base/errors.ts';
import { type ImageName, parseImageName } from '#images/format/image-name.ts';
import { type RemovedImages, removeImages } from '#images/upkeep/remove-images.ts';

/** A reader without a sign of life for so long counts no more. */
export const readerMs = 3_600_000;

/** `node prune-child.ts <store> <names…>`: removes these images, but for those that somebody reads. */
export function pruneAll(store: string, names: readonly ImageName[]): Promise<RemovedImages> {
  return removeImages({ store, names, silentMs: readerMs, neededBy: () => new Map() });
}

if (import.meta.main) {
  try {
    const [store = '', ...names] = process.argv.slice(2);
    await pruneAll(
      store,
      names.flatMap((name) => parseImageName(name) ?? []),
    );
  } catch (error) {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
