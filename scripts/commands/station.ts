import { Command, InvalidArgumentError, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { describeStationNetwork, type StationNetwork } from '#contract/station-network.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { resolveImage } from '#images/stores/image-folder.ts';
import { parseIpv4Address } from '#pxe-server/boot/ipv4-address.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { listJobs } from '#pxe-server/jobs/job-store.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { arm, disarm, findArmed } from '#pxe-server/stations/arming.ts';
import { enrolStation } from '#pxe-server/stations/enrol-station.ts';
import { findFittingImages } from '#pxe-server/stations/fitting-images.ts';
import { judgeStationPack } from '#pxe-server/stations/judge-station-pack.ts';
import {
  describeRehearsal,
  type RehearsalState,
  readLastRehearsal,
} from '#pxe-server/stations/last-rehearsal.ts';
import { turnsOf } from '#pxe-server/stations/loader-turn.ts';
import { readSighting } from '#pxe-server/stations/sightings.ts';
import { loaderOf, loaderSchema, type Station, stationRoleSchema } from '#pxe-server/stations/station.ts';
import {
  getStation,
  listStations,
  removeStation,
  setAddress,
  setComputerName,
  setLoader,
  setNetwork,
  setRole,
  setTerminalBus,
} from '#pxe-server/stations/station-registry.ts';
import { followBoots, printBoots } from '../boot-transcript.ts';
import { parseDuration } from '../duration.ts';
import { say } from '../fit-terminal.ts';
import { formatTime } from '../format-time.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { type OpenSite, openSite, operatorName, type SiteOption, withSite } from '../site-option.ts';
import { formatHardware, formatLoader, formatPackState, formatStationRow } from '../station-lines.ts';
import { readPassportFile } from './passport.ts';

interface JsonOption {
  readonly json?: boolean;
}

export function stationCommand(): Command {
  const command = new Command('station').description('the stations that may be recovered');

  withSite(command.command('list')).description('all stations').option('--json', 'as JSON').action(list);
  withSite(command.command('show'))
    .description('one station: hardware, driver pack, jobs')
    .argument('<name>')
    .option('--boots', 'with its last boot conversations')
    .option('--follow', 'then what it does from now on, as it happens; until Ctrl-C')
    .option('--json', 'as JSON')
    .action(show);
  withSite(command.command('add'))
    .description('register a station from a passport file, without enrolment')
    .argument('<name>')
    .requiredOption('--passport <file>', 'passport.json')
    .option('--address <ip>', 'reservation mode: its address', parseAddress)
    .action(add);
  withSite(command.command('set'))
    .description('change how a station boots, and what its next image says it is')
    .argument('<name>')
    .option('--address <ip>', 'its address: reservation mode, and Secure Boot in proxy mode', parseAddress)
    .addOption(
      new Option(
        '--loader <loader>',
        'what its firmware loads; `none`: as the site, iPXE with a second try',
      ).choices([...loaderSchema.options, 'none']),
    )
    .addOption(new Option('--role <role>', 'what the station is').choices(stationRoleSchema.options))
    .addOption(
      new Option('--terminal-bus <on|off>', "whether the plant's terminal bus is its way to us").choices([
        'on',
        'off',
      ]),
    )
    .option('--computer-name <name>', 'name of its system, where that is not the name of the station')
    .option('--vlan <id>', 'its switch port is tagged with this VLAN; `none`: untagged', parseNumberOrNone)
    .option('--fixed-address <ip/prefix>', 'address of its runtime instead of DHCP; `none`: DHCP')
    .option('--router <ip>', 'default route with a fixed address; `none`: no route')
    .option('--mtu <bytes>', 'largest IP packet, 9000 for jumbo frames; `none`: 1500', parseNumberOrNone)
    .option('--wait <seconds>', 'patience with its link and switch port; `none`: 60', parseNumberOrNone)
    .action(set);
  withSite(command.command('remove'))
    .description('forget a station; its images stay in the store')
    .argument('<name>')
    .action(async (name: string, options: SiteOption) => {
      const { state } = await openSite(options);
      removeStation(state, name);
      console.log(`Station ${name} is removed; its images stay in the store.`);
    });
  withSite(command.command('arm'))
    .description('allow one restore without a log-on, for a limited time')
    .argument('<name>')
    .requiredOption('--image <ref>', 'STATION@latest or STATION@<UTC time>')
    .requiredOption('--for <time>', 'how long, e.g. 30m', parseDuration)
    .option(
      '--accept-replaced',
      'also when parts were replaced by others of their class, a new disk for example',
    )
    .action(armStation);
  withSite(command.command('disarm'))
    .description('take the permission back')
    .argument('<name>')
    .action(async (name: string, options: SiteOption) => {
      const { state } = await openSite(options);
      const station = getStation(state, name).name;
      console.log(
        disarm(state, station) ? `Station ${station} is disarmed.` : `Station ${station} was not armed.`,
      );
    });
  return command;
}

async function list(options: SiteOption & JsonOption): Promise<void> {
  const site = await openSite(options);
  const stations = await Promise.all(
    listStations(site.state).map(async (station) => ({
      ...(await summaryOf(site, station)),
      rehearsal: await rehearsalOf(site, station.name),
    })),
  );
  if (options.json === true) return console.log(JSON.stringify(stations));
  if (stations.length === 0)
    return console.log('There is no station yet. Next: rekindle enrol open --for 15m');
  for (const each of stations) for (const line of formatStationRow(each)) say(line, 21);
}

async function show(
  name: string,
  options: SiteOption & JsonOption & { readonly boots?: boolean; readonly follow?: boolean },
): Promise<void> {
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
  console.log(
    [
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
    ].join('\n'),
  );
  const { mode } = site.configuration.dhcp;
  if (options.follow === true) {
    using signal = interruptSignal();
    return await followBoots(readBoots, mode, signal);
  }
  if (options.boots === true) printBoots(boots, mode);
}

async function add(
  name: string,
  options: SiteOption & { readonly passport: string; readonly address?: string },
): Promise<void> {
  const site = await openSite(options);
  const passport = await readPassportFile(options.passport);
  const address = options.address === undefined ? {} : { address: options.address };
  const station = await enrolStation(site, { name, passport, by: operatorName(), ...address });
  console.log(
    `Station ${station.name} is registered${station.address === undefined ? '' : ` at ${station.address}`}.`,
  );
}

async function set(
  name: string,
  options: SiteOption & {
    readonly address?: string;
    readonly loader?: string;
    readonly role?: string;
    readonly computerName?: string;
    readonly terminalBus?: string;
  } & NetworkOptions,
): Promise<void> {
  const { state } = await openSite(options);
  const { name: station, network } = getStation(state, name);
  const { site: _, ...settings } = options;
  if (Object.keys(settings).length === 0) {
    throw new RekindleError('usage', `What to change of station ${station} was not said`, {
      next: '`rekindle station set --help` shows what can be set.',
    });
  }
  setNetwork(state, station, changeNetwork(network, options));
  if (options.address !== undefined) setAddress(state, station, options.address);
  if (options.loader !== undefined) {
    setLoader(state, station, options.loader === 'none' ? undefined : loaderSchema.parse(options.loader));
  }
  if (options.role !== undefined) setRole(state, station, stationRoleSchema.parse(options.role));
  if (options.terminalBus !== undefined) setTerminalBus(state, station, options.terminalBus === 'on');
  if (options.computerName !== undefined) setComputerName(state, station, options.computerName);
  console.log(`Station ${station} is changed.`);
}

async function armStation(
  name: string,
  options: SiteOption & { readonly image: string; readonly for: number; readonly acceptReplaced?: true },
): Promise<void> {
  const { state, configuration, paths } = await openSite(options);
  const { name: station } = getStation(state, name);
  const ref = parseImageRef(options.image);
  if (ref.station !== station) {
    throw new RekindleError('usage', `Arming ${station}: ${options.image} is an image of another station`, {
      next: `Name an image of this one: ${station}@latest, or rekindle image list ${station}.`,
    });
  }
  await resolveImage(storeFolder(configuration, paths.folder), ref);
  const until = new Date(Date.now() + options.for);
  const acceptsReplaced = options.acceptReplaced === true;
  arm(state, { station, image: options.image, until, by: operatorName(), acceptsReplaced });
  console.log(
    `Station ${station} restores ${options.image} without a log-on, once, until ${formatTime(until)}.\n` +
      (acceptsReplaced
        ? 'Replaced parts of the same class are confirmed by this; the report names them.'
        : 'If a part was replaced it waits for a person, unless you arm it with --accept-replaced.'),
  );
}

async function rehearsalOf({ paths, configuration }: OpenSite, station: string): Promise<RehearsalState> {
  const { validDays } = configuration.rehearsals;
  return readLastRehearsal(paths, station, await readSigningPublicKey(paths), { validDays, now: new Date() });
}

async function summaryOf({ state, paths, configuration }: OpenSite, station: Station) {
  const { system, board } = station.passport;
  const pack = await judgeStationPack(paths, station, configuration.share);
  return {
    name: station.name,
    address: station.address ?? null,
    system: [system.vendor, system.product].filter(Boolean).join(' ') || board.product,
    driverPack: { state: pack.state, reasons: pack.reasons },
    armed: findArmed(state, station.name) ?? null,
    loader: loaderOf(station, configuration.boot.loader),
    loaders: turnsOf(state, station, configuration.boot.loader),
    terminalBus: station.onTerminalBus,
    network: station.network,
    /** Null: not seen since it was registered. */
    drift: readSighting(state, station)?.drift ?? null,
  };
}

/** How the machine looked last, and which images it could still get. */
async function hardwareOf({ state, paths, configuration }: OpenSite, station: Station) {
  const sighting = readSighting(state, station);
  const machine = sighting?.passport ?? station.passport;
  const store = storeFolder(configuration, paths.folder);
  const key = await readSigningPublicKey(paths);
  return { sighting, images: await findFittingImages(store, station, machine, key) };
}

interface NetworkOptions {
  readonly vlan?: number | 'none';
  readonly fixedAddress?: string;
  readonly router?: string;
  readonly mtu?: number | 'none';
  readonly wait?: number | 'none';
}

/** Settings that are named replace those that were there; `none` takes one away. */
function changeNetwork(network: StationNetwork, options: NetworkOptions): StationNetwork {
  const { vlan, fixedAddress: address, router, mtu, wait: waitSeconds } = options;
  const named = Object.entries({ vlan, address, router, mtu, waitSeconds }).filter(
    ([, value]) => value !== undefined,
  );
  const changed = { ...network, ...Object.fromEntries(named) };
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== 'none'));
}

function parseNumberOrNone(text: string): number | 'none' {
  if (text === 'none') return text;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Write a number, or none.');
  return Number(text);
}

function parseAddress(text: string): string {
  const address = parseIpv4Address(text);
  if (address === undefined) throw new InvalidArgumentError('Write an address as 10.77.0.20.');
  return address;
}
