import { errorChain, RekindleError } from '#base/errors.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { listImages, readListedFile, readManifest } from '#images/stores/image-folder.ts';
import type { Station } from './station.ts';

/** Whether an image could be restored onto the machine as it is now. */
export interface ImageFit {
  readonly ref: string;
  readonly fits: boolean;
  /** Why it does not, each a sentence. */
  readonly reasons: readonly string[];
}

/**
 * Every image of a station against its hardware: the interlock of a restore, asked beforehand. Newest first.
 * @param machine as it was last seen
 */
export async function findFittingImages(
  store: string,
  station: Station,
  machine: HardwarePassport,
  key: PublicKey,
): Promise<ImageFit[]> {
  const names = await listImages(store, station.name);
  const fits = await Promise.all(
    names.map(async (name): Promise<ImageFit> => {
      const ref = formatImageRef(name);
      try {
        const { manifest } = await readManifest(store, name, key);
        const bytes = await readListedFile(store, name, manifest, 'passport.json');
        const image = hardwarePassportSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
        // The interlock of a restore asks both: the image's passport, and the registered one.
        const fatal = [image, station.passport]
          .flatMap((expected) => comparePassports(expected, machine))
          .filter(({ severity }) => severity === 'fatal');
        const reasons = [...new Set(fatal.map(({ sentence }) => sentence))];
        return { ref, fits: reasons.length === 0, reasons };
      } catch (error) {
        if (!(error instanceof RekindleError)) throw error;
        return { ref, fits: false, reasons: [errorChain(error).join(': ')] };
      }
    }),
  );
  return fits.sort((a, b) => (a.ref < b.ref ? 1 : -1));
}
