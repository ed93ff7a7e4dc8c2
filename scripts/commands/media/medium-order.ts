import { rm } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { commandLineKeys, kernelWords } from '#contract/command-line.ts';
import { formatStationNetwork } from '#contract/station-network.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { readListedFile, readManifest, resolveImage } from '#images/stores/image-folder.ts';
import { type Configuration, storeFolder } from '#pxe-server/config/configuration.ts';
import { findServedInterfaces } from '#pxe-server/site/served-interface.ts';
import { readServedKernel } from '#pxe-server/site/served-kernel.ts';
import { readSigningKey, readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import type { SitePaths } from '#pxe-server/site/site-paths.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { buildMediumPack } from '#pxe-server/stations/station-pack.ts';
import type { MediumOrder } from '../../media/stage-medium.ts';
import { createProgressLine } from '../../progress-line.ts';
import { assertRuntimeCurrent } from '../../runtime/assert-runtime-current.ts';
import type { OpenSite } from '../../site-option.ts';

export interface MediumOptions {
  readonly server?: string;
  readonly card?: string;
  readonly withImage?: string;
}

/**
 * What a medium of this station consists of, now; `work` makes it.
 * @param driverPack where its driver pack lies meanwhile
 */
export async function withMediumOrder<Result>(
  { paths, configuration }: OpenSite,
  station: Station,
  options: MediumOptions & { readonly driverPack: string },
  work: (order: MediumOrder) => Promise<Result>,
): Promise<Result> {
  const { withImage, driverPack } = options;
  const store = storeFolder(configuration, paths.folder);
  const image = withImage === undefined ? undefined : await findImage(withImage, station, store, paths);
  await assertRuntimeCurrent(paths, `Building the recovery medium of ${station.name}`);
  const kernel = await readServedKernel(paths);
  console.error(`building the driver pack for the medium of ${station.name}`);
  const line = createProgressLine();
  try {
    const pack = await buildMediumPack(paths, station, driverPack);
    if (pack.uncovered.length > 0) {
      const missing = pack.uncovered.map(({ className, id, slot }) => `${className} ${id} (${slot})`);
      throw new RekindleError(
        'verification-failed',
        `Building the recovery medium of ${station.name}: nothing drives ${missing.join('; ')}`,
        { next: `rekindle driver-pack check ${station.name}` },
      );
    }
    console.error(image === undefined ? 'writing the medium' : 'copying the image, then writing the medium');
    const onProgress = (done: number, total: number) => line.count('chunks', done, total);
    return await work({
      station: station.name,
      passport: station.passport,
      kernel: { version: kernel.version, file: paths.kernel },
      runtime: paths.runtimeImage,
      driverPack,
      commandLine: [
        `${commandLineKeys.server}=${options.server ?? serviceUrl(configuration)}`,
        `${commandLineKeys.bootMac}=${options.card ?? firstCard(station.name, station.passport)}`,
        `${commandLineKeys.purpose}=recovery`,
        ...formatStationNetwork(station.network),
        'console=ttyS0,115200',
        'console=tty0',
        ...kernelWords,
      ],
      signingKey: await readSigningKey(paths),
      ...(image === undefined ? {} : { image: { ...image, onProgress } }),
      builtAt: new Date(),
    });
  } finally {
    line.end();
    await rm(driverPack, { force: true });
  }
}

/** @throws RekindleError `usage` for another station's image; `not-found`; `hardware-not-identical` */
async function findImage(text: string, station: Station, store: string, paths: SitePaths) {
  const ref = parseImageRef(text);
  const doing = `Building the recovery medium of ${station.name} with ${text}`;
  if (ref.station !== station.name) {
    throw new RekindleError('usage', `${doing}: it is an image of another station`);
  }
  const publicKey = await readSigningPublicKey(paths);
  const name = await resolveImage(store, ref);
  const { manifest } = await readManifest(store, name, publicKey);
  const bytes = await readListedFile(store, name, manifest, 'passport.json');
  const passport = hardwarePassportSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  const fatal = comparePassports(passport, station.passport).filter(({ severity }) => severity === 'fatal');
  if (fatal.length > 0) {
    throw new RekindleError(
      'hardware-not-identical',
      `${doing}: it does not fit the station as it is registered now`,
      {
        cause: new Error(fatal.map(({ sentence }) => sentence).join(' ')),
        next: `Choose an image that fits: rekindle station show ${station.name}`,
      },
    );
  }
  return { store, name, publicKey };
}

function serviceUrl(configuration: Configuration): string {
  // A station that is started from the medium reaches the first of several interfaces, or none.
  const [served] = findServedInterfaces(configuration);
  return `https://${served?.address}:${configuration.https.port}`;
}

function firstCard(station: string, { networkCards: [card] }: HardwarePassport): string {
  if (card !== undefined) return card.mac;
  throw new RekindleError(
    'usage',
    `Building the recovery medium of ${station}: its passport names no network card`,
    {
      next: 'Name the card: --card 52:54:00:77:00:01',
    },
  );
}
