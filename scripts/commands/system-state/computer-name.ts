import { RekindleError } from '#base/errors.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { listImages, readManifest } from '#images/stores/image-folder.ts';

/**
 * What the station's Windows calls itself, which is what wbadmin calls its folder: by its newest image that can be
 * read, else as it is said.
 * @throws RekindleError `usage`: neither is there, or they disagree
 */
export async function computerNameOf(
  store: string,
  station: StationName,
  key: PublicKey,
  said: string | undefined,
): Promise<string> {
  for (const name of (await listImages(store, station)).reverse()) {
    try {
      const { manifest } = await readManifest(store, name, key);
      const computer = manifest.windows?.computerName ?? manifest.computerName;
      if (said === undefined || said.toLowerCase() === computer.toLowerCase()) return computer;
      throw new RekindleError(
        'usage',
        `Adding a backup of ${said} to ${station}: in ${formatImageRef(name)} the computer is ${computer}`,
        { next: `Add a backup of ${computer}, or name the station that is ${said}.` },
      );
    } catch (error) {
      // The one before says it as well.
      if (!(error instanceof RekindleError) || error.code !== 'verification-failed') throw error;
    }
  }
  if (said !== undefined) return said;
  throw new RekindleError(
    'usage',
    `Adding a backup of ${station}: the store has no image that says its computer's name`,
    {
      next: "Say the computer's name with --computer.",
    },
  );
}
