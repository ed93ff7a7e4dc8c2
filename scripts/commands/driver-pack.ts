import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { checkCoverage } from '#driver-packs/check-coverage.ts';
import {
  buildSiteUniversalPack,
  buildStationPack,
  readPackManifest,
  universalPack,
} from '#pxe-server/stations/station-pack.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';

type Options = SiteOption & { readonly json?: boolean };

export function driverPackCommand(): Command {
  const command = new Command('driver-pack').description(
    'network and storage drivers that a station boots with',
  );
  withSite(command.command('build'))
    .description(`build the pack of a station, or \`${universalPack}\` for the enrolment window`)
    .argument('<station>')
    .action(build);
  withSite(command.command('check'))
    .description('prove that the pack drives every network card and disk controller of the station')
    .argument('<station>')
    .option('--json', 'as JSON')
    .action(check);
  withSite(command.command('show'))
    .description('print what is in a pack')
    .argument('<station>')
    .option('--json', 'as JSON')
    .action(show);
  return command;
}

async function build(name: string, options: Options): Promise<void> {
  const { state, paths } = await openSite(options);
  const pack =
    name === universalPack
      ? await buildSiteUniversalPack(paths)
      : await buildStationPack(paths, getStation(state, name).name, getStation(state, name).passport);
  console.log(
    `Driver pack of ${name} for kernel ${pack.manifest.kernel}: ${pack.manifest.modules.length} modules, ${pack.file.bytes} bytes.`,
  );
  for (const { module, file } of pack.missingFirmware) console.log(`  no firmware ${file} for ${module}`);
  const missing = pack.uncovered.map(({ className, id, slot }) => `${className} ${id} (${slot})`);
  if (missing.length > 0) throw notCovering(name, missing);
}

async function check(name: string, options: Options): Promise<void> {
  const { state, paths } = await openSite(options);
  const station = getStation(state, name);
  const coverage = checkCoverage(station.passport, await readPackManifest(paths, station.name));
  if (options.json === true) console.log(JSON.stringify(coverage));
  else {
    for (const row of coverage.rows) {
      console.log(`  ${row.slot}  ${row.id}  ${row.className}: ${row.module ?? 'NO DRIVER'}`);
    }
  }
  if (coverage.missing.length > 0) throw notCovering(station.name, coverage.missing);
  console.log(`The pack covers ${station.name}.`);
}

async function show(name: string, options: Options): Promise<void> {
  const { paths } = await openSite(options);
  const manifest = await readPackManifest(paths, name);
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
      next: 'Put missing firmware into the folder `firmware` of the site, or look for a newer kernel package.',
    },
  );
}
