import { Command } from 'commander';
import { describeStationNetwork } from '#contract/station-network.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { listJobs } from '#pxe-server/jobs/job-store.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { findFittingImages } from '#pxe-server/stations/fitting-images.ts';
import { describeRehearsal } from '#pxe-server/stations/last-rehearsal.ts';
import { readSighting } from '#pxe-server/stations/sightings.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { followBoots, printBoots } from '../../boot-transcript.ts';
import { say } from '../../fit-terminal.ts';
import { formatTime } from '../../format-time.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { type OpenSite, openSite, type SiteOption, withSite } from '../../site-option.ts';
import { formatHardware, formatLoader, formatPackState } from '../../station-lines.ts';
import { rehearsalOf, summaryOf } from './station-summary.ts';

export function showCommand(): Command {
  return withSite(new Command('show'))
    .description('one station: hardware, driver pack, jobs')
    .argument('<name>')
    .option('--boots', 'with its last boot conversations')
    .option('--follow', 'then what it does from now on, as it happens; until Ctrl-C')
    .option('--json', 'as JSON')
    .action(show);
}

interface ShowOptions extends SiteOption {
  readonly boots?: boolean;
  readonly follow?: boolean;
  readonly json?: boolean;
}

async function show(name: string, options: ShowOptions): Promise<void> {
  const site = await openSite(options);
  const station = getStation(site.state, name);
  const journal = createJournal(site.state, { keptBoots: site.configuration.journal.boots });
  const readBoots = () => station.passport.networkCards.flatMap(({ mac }) => journal.boots(mac));
  const boots = readBoots();
  const summary = await summaryOf(site, station);
  const { sighting, images } = await hardwareOf(site, station);
  const jobs = listJobs(site.state, station.name);
  const rehearsal = await rehearsalOf(site, station.name);
  if (options.json === true) {
    return console.log(
      JSON.stringify({ ...summary, passport: station.passport, images, jobs, boots, rehearsal }),
    );
  }
  const { passport } = station;
  const lines = [
    `Station ${station.name} (${station.role}, computer name ${station.computerName})`,
    `  system      ${summary.system}, serial ${passport.system.serial || 'none'}, UUID ${passport.system.uuid || 'none'}`,
    `  address     ${station.address ?? 'from another DHCP server'}`,
    `  enrolled    ${formatTime(station.enrolledAt)} by ${station.enrolledBy}`,
    ...(Object.keys(station.network).length === 0
      ? []
      : [`  runtime     ${describeStationNetwork(station.network)}`]),
    ...(station.onTerminalBus ? ['  network     on the terminal bus: its captures are held back'] : []),
    ...formatLoader(station, site.configuration.boot.loader, summary.loaders),
    ...formatPackState(summary.driverPack, station.name),
    ...formatHardware(sighting, images),
    `  rehearsal   ${describeRehearsal(rehearsal)}${rehearsal.kind === 'passed' ? '' : `. Next: rekindle rehearse ${station.name}`}`,
    `  armed       ${summary.armed === null ? 'no' : `${summary.armed.image} until ${formatTime(summary.armed.until)} by ${summary.armed.by}${summary.armed.acceptsReplaced ? ', replaced parts accepted' : ''}`}`,
    ...passport.networkCards.map(({ slot, id, mac }) => `  network     ${slot} ${id} ${mac}`),
    ...passport.disks.map(
      (disk) => `  disk        ${disk.slot} ${disk.model} ${disk.serial ?? disk.wwn ?? ''}`,
    ),
    ...jobs
      .slice(0, 10)
      .map(
        (job) =>
          `  job         ${formatTime(job.openedAt)} ${job.kind} ${job.imageName} ${job.outcome ?? 'open'}`,
      ),
  ];
  // What goes on stands below its own beginning, to the right of the names.
  for (const line of lines) say(line, /^ {2}\S/.test(line) ? 14 : undefined);
  const { mode } = site.configuration.dhcp;
  if (options.follow === true) {
    using signal = interruptSignal();
    return await followBoots(readBoots, mode, signal);
  }
  if (options.boots === true) printBoots(boots, mode);
}

/** How the machine looked last, and which images it could still get. */
async function hardwareOf({ state, paths, configuration }: OpenSite, station: Station) {
  const sighting = readSighting(state, station);
  const machine = sighting?.passport ?? station.passport;
  const store = storeFolder(configuration, paths.folder);
  const key = await readSigningPublicKey(paths);
  return { sighting, images: await findFittingImages(store, station, machine, key) };
}
