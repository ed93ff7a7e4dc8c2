import { resolve } from 'node:path';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import type { StationTicket } from '#contract/station-ticket.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { listImages, readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readServedKernel } from '#pxe-server/site/served-kernel.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { findStation } from '#pxe-server/stations/station-registry.ts';
import { listFile } from '../../media/medium-files.ts';
import { readMedium } from '../../media/read-medium.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';

type Options = SiteOption & { readonly json?: boolean };

export function checkCommand(): Command {
  return withSite(new Command('check'))
    .description(
      'say which station a medium is for, how old it is, what it still fits, and whether it is whole',
    )
    .argument('<file>', 'ISO file, or the device of a USB stick')
    .option('--json', 'as JSON')
    .action(check);
}

interface MediumState {
  readonly station: string;
  readonly builtAt: string;
  readonly ageDays: number;
  readonly damaged: readonly string[];
  /** What speaks against using it, a sentence each. */
  readonly outdated: readonly string[];
  /** Images of the station whose passport is that of the medium. */
  readonly images: readonly string[];
  readonly unverified: readonly string[];
}

async function check(file: string, options: Options): Promise<void> {
  const { state, paths, configuration } = await openSite(options);
  const key = await readSigningPublicKey(paths);
  const { ticket, damaged } = await readMedium(resolve(file), key);
  const station = findStation(state, ticket.station);
  const kernel = await readServedKernel(paths);
  const runtime = await listFile({ path: 'boot/runtime.img', source: paths.runtimeImage });
  const onMedium = ticket.files.find(({ path }) => path === runtime.path);
  const found: MediumState = {
    station: ticket.station,
    builtAt: ticket.builtAt,
    ageDays: Math.floor((Date.now() - Date.parse(ticket.builtAt)) / 86_400_000),
    damaged,
    outdated: [
      ...(station === undefined ? [`${ticket.station} is no station of this site any more.`] : []),
      ...(station === undefined ? [] : changedParts(ticket, station.passport)),
      ...(kernel.version === ticket.kernel
        ? []
        : [`Its kernel is ${ticket.kernel}; this site serves ${kernel.version}.`]),
      ...(onMedium?.sha256 === runtime.sha256 ? [] : ['Its runtime is not the one that this site serves.']),
    ],
    images: await fittingImages(storeFolder(configuration, paths.folder), ticket, key),
    unverified: ["Whether the station's Secure Boot databases (db, dbx, SBAT) accept its boot loaders."],
  };
  if (options.json === true) console.log(JSON.stringify(found));
  else for (const line of describe(found)) console.log(line);
  if (damaged.length > 0) {
    throw new RekindleError('verification-failed', `The medium is damaged: ${damaged.join(', ')}`, {
      next: `Build it again: rekindle media build ${ticket.station} --output FILE.iso`,
    });
  }
}

function changedParts(ticket: StationTicket, registered: HardwarePassport): string[] {
  return comparePassports(ticket.passport, registered)
    .filter(({ severity }) => severity !== 'note')
    .map(({ sentence }) => `Since it was built: ${sentence}`);
}

/** An image that cannot be read is none that fits; `image list` says why. */
async function fittingImages(store: string, ticket: StationTicket, key: PublicKey): Promise<string[]> {
  const fitting: string[] = [];
  for (const name of await listImages(store, ticket.station)) {
    try {
      const { manifest } = await readManifest(store, name, key);
      const bytes = await readListedFile(store, name, manifest, 'passport.json');
      const passport = hardwarePassportSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
      const fits = !comparePassports(passport, ticket.passport).some(({ severity }) => severity === 'fatal');
      if (fits) fitting.push(formatImageRef(name));
    } catch {}
  }
  return fitting;
}

function describe(found: MediumState): string[] {
  return [
    `Recovery medium of ${found.station}, built ${found.builtAt} (${found.ageDays} days ago).`,
    found.damaged.length === 0 ? 'Every file is as it was built.' : `DAMAGED: ${found.damaged.join(', ')}`,
    ...(found.outdated.length === 0
      ? ['Nothing on it is outdated.']
      : found.outdated.map((line) => `OUTDATED: ${line}`)),
    found.images.length === 0
      ? 'No image in the store fits it.'
      : `Images that fit: ${found.images.join(', ')}`,
    ...found.unverified.map((line) => `Not checked: ${line}`),
  ];
}
