import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { unpackFirmware } from '#driver-packs/firmware-package.ts';
import { buildWinpePack, checkWinpePack } from '#driver-packs/winpe/winpe-pack.ts';
import { judgeStationPack } from '#pxe-server/stations/judge-station-pack.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import {
  buildSiteUniversalPack,
  buildStationPack,
  firmwarePackages,
  readPackManifest,
  universalPack,
} from '#pxe-server/stations/station-pack.ts';
import { findStation, getStation } from '#pxe-server/stations/station-registry.ts';
import { formatCoverageTable, formatWinpeRows } from '../driver-pack-table.ts';
import { createProgressLine } from '../progress-line.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';

type Options = SiteOption & { readonly json?: boolean };

export function driverPackCommand(): Command {
  const command = new Command('driver-pack').description(
    'network and storage drivers that a station boots with',
  );
  withSite(command.command('build'))
    .description(`build the pack of a station, or \`${universalPack}\` for the enrolment window`)
    .argument('<station>')
    .option('--winpe <boot.wim>', 'put Windows drivers into a copy of this Windows PE instead')
    .option('--drivers <folder>', "with --winpe: the vendors' drivers, unpacked (INF files)")
    .option('--output <file>', 'with --winpe: the new boot.wim; the menu offers boot-STATION.wim')
    .action(build);
  withSite(command.command('check'))
    .description('prove that the pack drives every network card and disk controller of the station')
    .argument('<station>')
    .option('--winpe <boot.wim>', 'prove it of this Windows PE instead')
    .option('--json', 'as JSON')
    .action(check);
  withSite(command.command('add-firmware'))
    .description('fetch firmware packages of Debian for this site; nothing is installed')
    .argument('<package...>', 'firmware-realtek, or firmware-realtek=VERSION')
    .action(addFirmware);
  withSite(command.command('show'))
    .description('print what is in a pack')
    .argument('<station>')
    .option('--json', 'as JSON')
    .action(show);
  return command;
}

interface WinpeOptions extends Options {
  readonly winpe?: string;
  readonly drivers?: string;
  readonly output?: string;
}

async function build(typed: string, options: WinpeOptions): Promise<void> {
  const { state, paths, configuration } = await openSite(options);
  // By the registry's name, however it was typed: files are named after it.
  const station = typed === universalPack ? undefined : getStation(state, typed);
  const name = station?.name ?? universalPack;
  if (options.winpe !== undefined) return buildWinpe(getStation(state, typed), options.winpe, options);
  const line = createProgressLine();
  const compressed = (doneBytes: number, totalBytes: number) =>
    line.show('compressing', doneBytes, totalBytes);
  const building =
    station === undefined
      ? buildSiteUniversalPack(paths, compressed)
      : buildStationPack(paths, station.name, station.passport, compressed);
  const pack = await building.finally(() => line.end());
  console.log(
    `Driver pack of ${name} for kernel ${pack.manifest.kernel}: ${pack.manifest.modules.length} modules, ${pack.file.bytes} bytes, signed.`,
  );
  for (const { sentence } of pack.refusedModules) console.log(`  ${sentence}`);
  if (station === undefined) return;
  const judged = await judgeStationPack(paths, station, configuration.share);
  for (const note of judged.notes) console.log(`  ${note}`);
  if (judged.state === 'red') throw notCovering(name, judged.reasons);
}

async function buildWinpe(station: Station, bootWim: string, options: WinpeOptions): Promise<void> {
  const { drivers: driverFolder, output } = options;
  if (driverFolder === undefined || output === undefined) {
    throw new RekindleError('usage', 'Building a WinPE pack takes --drivers FOLDER and --output FILE too');
  }
  const { name, passport } = station;
  const built = await buildWinpePack({ station: name, passport, bootWim, driverFolder, output });
  for (const line of formatWinpeRows(built.rows)) console.log(line);
  console.log(`${built.output}: drivers of ${name}, ${built.files} files.`);
  if (built.missing.length > 0) throw winpeNotCovering(name, built.missing);
}

async function checkWinpe({ name, passport }: Station, wim: string, json: boolean): Promise<void> {
  const checked = await checkWinpePack(wim, passport);
  if (json) console.log(JSON.stringify(checked));
  else for (const line of formatWinpeRows(checked.rows)) console.log(line);
  if (checked.missing.length > 0) throw winpeNotCovering(name, checked.missing);
  if (!json) console.log(`${wim} covers ${name}.`);
}

function winpeNotCovering(name: string, missing: readonly string[]): RekindleError {
  return new RekindleError(
    'verification-failed',
    `The drivers in this Windows PE do not cover ${name}: ${missing.join('; ')}`,
    { next: "Put the vendors' drivers for Windows (x64, unpacked) into the folder, and build it again." },
  );
}

async function check(name: string, options: WinpeOptions): Promise<void> {
  const { state, paths, configuration } = await openSite(options);
  const station = getStation(state, name);
  if (options.winpe !== undefined) return checkWinpe(station, options.winpe, options.json === true);
  const judged = await judgeStationPack(paths, station, configuration.share);
  const rows = judged.coverage?.rows ?? [];
  if (options.json === true) {
    const { state: verdict, reasons, notes, store } = judged;
    console.log(JSON.stringify({ state: verdict, reasons, notes, rows, store }));
  } else {
    for (const line of formatCoverageTable(rows, judged.store)) console.log(line);
    for (const note of judged.notes) console.log(`Note: ${note}.`);
  }
  if (judged.state === 'red') throw notCovering(station.name, judged.reasons);
  if (options.json !== true) console.log(`The pack covers ${station.name}.`);
}

async function addFirmware(packages: readonly string[], options: SiteOption): Promise<void> {
  const { paths } = await openSite(options);
  for (const chosen of packages) {
    const { name, packageVersion, directory } = await unpackFirmware(firmwarePackages(paths), chosen);
    console.log(`${name} ${packageVersion} is in ${directory}.`);
  }
  console.log('Next: rekindle driver-pack build STATION, and universal');
}

async function show(name: string, options: Options): Promise<void> {
  const { state, paths } = await openSite(options);
  const manifest = await readPackManifest(paths, findStation(state, name)?.name ?? name);
  if (options.json === true) return console.log(JSON.stringify(manifest));
  console.log(
    `Driver pack of ${manifest.station ?? 'machines that are not enrolled'}, kernel ${manifest.kernel}`,
  );
  for (const module of manifest.modules)
    console.log(`  ${module.name.padEnd(24)} ${module.file} (${module.bytes})`);
  for (const { file, bytes } of manifest.firmware) console.log(`  ${file} (${bytes})`);
}

function notCovering(name: string, missing: readonly string[]): RekindleError {
  return new RekindleError(
    'verification-failed',
    `The driver pack does not cover ${name}: ${missing.join('; ')}`,
    {
      next: 'Firmware: rekindle driver-pack add-firmware PACKAGE. Drivers of a vendor: into `drivers/` of the site. Another kernel: rekindle runtime build --kernel VERSION.',
    },
  );
}
