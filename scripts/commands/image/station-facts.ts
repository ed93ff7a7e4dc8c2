import { RekindleError } from '#base/errors.ts';
import { type ImageManifest, type StationName, stationNameSchema } from '#images/format/image-manifest.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { readPassportFile } from '../passport.ts';

/** What an image says about its station, from the registry and, where it is newer, a passport file. */
export type StationFacts = Pick<ImageManifest, 'computerName' | 'stationRole'> & {
  readonly passport: HardwarePassport;
};

/** @throws RekindleError `not-found`: neither a registered station nor a passport */
export async function stationFacts(
  station: Station | undefined,
  name: StationName,
  passportFile: string | undefined,
): Promise<StationFacts> {
  const passport = passportFile === undefined ? station?.passport : await readPassportFile(passportFile);
  if (passport === undefined) {
    throw new RekindleError('not-found', `There is no station ${name}, and no passport was given`, {
      next: 'Take a passport on the station (rekindle passport take --output passport.json), and name it with --passport.',
    });
  }
  return {
    computerName: station?.computerName ?? name,
    stationRole: station?.role ?? 'client',
    passport,
  };
}

/** @throws RekindleError `usage` */
export function parseStationName(text: string): StationName {
  const name = stationNameSchema.safeParse(text);
  if (name.success) return name.data;
  throw new RekindleError('usage', `"${text}" is no station: ${name.error.issues[0]?.message ?? ''}`);
}
