import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
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
import type { SitePaths } from '#pxe-server/site/site-paths.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { buildMediumPack } from '#pxe-server/stations/station-pack.ts';
import { findStation } from '#pxe-server/stations/station-registry.ts';
import { judgeLoaders, type Loader } from '../../media/judge-loaders.ts';
import { listFile } from '../../media/medium-files.ts';
import { type MediumImageState, readMedium } from '../../media/read-medium.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';

type Options = SiteOption & { readonly json?: boolean };

export function checkCommand(): Command {
  return withSite(new Command('check'))
    .description(
      'say which station a medium is for, how old it is, what it still fits, and whether it is whole',
    )
    .argument(
      '<file>',
      'ISO file, device of a USB stick; of a recovery that was installed: its partition, the disk, or a file of either',
    )
    .option('--json', 'as JSON')
    .action(check);
}

interface MediumState {
  readonly station: string;
  /** It is in a partition of the station's own disk. */
  readonly installed: boolean;
  readonly builtAt: string;
  readonly ageDays: number;
  readonly damaged: readonly string[];
  /** What speaks against using it, a sentence each. */
  readonly outdated: readonly string[];
  /** Images of the station whose passport is that of the medium. */
  readonly images: readonly string[];
  /** The image on the medium; null without one. */
  readonly carried: MediumImageState | null;
  /** Why the station's Secure Boot would refuse it. */
  readonly refused: readonly string[];
  readonly unverified: readonly string[];
}

async function check(file: string, options: Options): Promise<void> {
  const { state, paths, configuration } = await openSite(options);
  const key = await readSigningPublicKey(paths);
  const medium = await readMedium(resolve(file), key);
  const { ticket, damaged, image: carried = null } = medium;
  const station = findStation(state, ticket.station);
  const kernel = await readServedKernel(paths);
  const runtime = await listFile({ path: 'boot/runtime.img', source: paths.runtimeImage });
  const onMedium = ticket.files.find(({ path }) => path === runtime.path);
  const found: MediumState = {
    station: ticket.station,
    installed: medium.installed === true,
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
      ...(station === undefined ? [] : await outdatedPack(paths, station, ticket, resolve(file))),
    ],
    images: await fittingImages(storeFolder(configuration, paths.folder), ticket, key),
    carried,
    ...judgeSecureBoot(medium.loaders, station?.passport ?? ticket.passport),
  };
  if (options.json === true) console.log(JSON.stringify(found));
  else for (const line of describe(found)) console.log(line);
  const bad = [...damaged, ...(carried?.problems ?? [])];
  if (bad.length > 0) {
    const again = medium.installed === true ? 'install' : 'build';
    const where = again === 'install' ? '--disk DISK --partition NUMBER' : '--output FILE.iso';
    throw new RekindleError('verification-failed', `The medium is damaged: ${bad.join(', ')}`, {
      next: `Make it again: rekindle media ${again} ${ticket.station} ${where}`,
    });
  }
}

/** The pack is built again: the same kernel, passport and firmware files give the same bytes. */
async function outdatedPack(
  paths: SitePaths,
  station: Station,
  ticket: StationTicket,
  file: string,
): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-pack-'));
  try {
    const source = join(folder, 'pack.img');
    await buildMediumPack(paths, station, source);
    const now = await listFile({ path: 'boot/driver-pack.img', source });
    const onMedium = ticket.files.find(({ path }) => path === now.path);
    return onMedium?.sha256 === now.sha256
      ? []
      : [`Its driver pack is not the one that ${station.name} would get now (${basename(file)}).`];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function judgeSecureBoot(
  loaders: readonly Loader[],
  { firmware }: HardwarePassport,
): Pick<MediumState, 'refused' | 'unverified'> {
  if (firmware.kind === 'bios') return { refused: [], unverified: [] };
  const { secureBootKeys } = firmware;
  if (secureBootKeys === undefined) {
    const why =
      "the station's passport holds none of its Secure Boot databases; a new capture takes them along.";
    return {
      refused: [],
      unverified: [`Whether the station's Secure Boot accepts its boot loaders: ${why}`],
    };
  }
  const { sbatLevel, otherEntries } = secureBootKeys;
  return {
    refused: judgeLoaders(loaders, secureBootKeys),
    unverified: [
      ...(sbatLevel === undefined ? ['What SbatLevel of the station asks for: no shim has run there.'] : []),
      ...(otherEntries === 0
        ? []
        : [`${otherEntries} entries of db and dbx of a kind that is not looked at.`]),
      `Whether db, dbx and SbatLevel changed since the passport was taken.`,
    ],
  };
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
    `${found.installed ? 'Recovery on the own disk' : 'Recovery medium'} of ${found.station}, built ${found.builtAt} (${found.ageDays} days ago).`,
    found.damaged.length === 0 ? 'Every file is as it was built.' : `DAMAGED: ${found.damaged.join(', ')}`,
    ...(found.outdated.length === 0
      ? ['Nothing on it is outdated.']
      : found.outdated.map((line) => `OUTDATED: ${line}`)),
    found.images.length === 0
      ? 'No image in the store fits it.'
      : `Images that fit: ${found.images.join(', ')}`,
    ...(found.carried === null
      ? []
      : [
          `On it: ${found.carried.ref}, ${found.carried.problems.length === 0 ? 'whole to the last chunk' : 'DAMAGED'}.`,
        ]),
    ...found.refused.map((line) => `SECURE BOOT REFUSES IT: ${line}`),
    ...found.unverified.map((line) => `Not checked: ${line}`),
  ];
}
