import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { type MacAddress, parseMacAddress } from '#pxe-server/boot/mac-address.ts';
import { capturePackets } from '#pxe-server/doctor/capture-packets.ts';
import { examineSite } from '#pxe-server/doctor/examine-site.ts';
import { type Finding, warning } from '#pxe-server/doctor/finding.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { judgeBoot } from '#pxe-server/journal/judge-boot.ts';
import { findServedInterfaces } from '#pxe-server/site/served-interface.ts';
import { findStation } from '#pxe-server/stations/station-registry.ts';
import { followBoots, printBoots } from '../boot-transcript.ts';
import { parseDuration } from '../duration.ts';
import { formatFindings } from '../finding-lines.ts';
import { columnsOf, say } from '../fit-terminal.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { isRuntimeCurrent } from '../runtime/assert-runtime-current.ts';
import { type OpenSite, openSite, type SiteOption, withSite } from '../site-option.ts';

interface DoctorOptions extends SiteOption {
  readonly json?: boolean;
  readonly machine?: string;
  readonly follow?: boolean;
  readonly capture?: string;
  readonly for: number;
  readonly interface?: string;
}

export function doctorCommand(): Command {
  return withSite(new Command('doctor'))
    .description('what stands between a station and its recovery, and how to mend it; changes nothing')
    .option('--machine <mac|station>', 'its last boots instead, and where they ended')
    .option(
      '--capture <file>',
      'packets of the boot protocols (of --machine: all of its packets) into a pcap file',
    )
    .addOption(
      new Option('--for <time>', 'how long to capture').argParser(parseDuration).default(60_000, '60s'),
    )
    .option(
      '--interface <name>',
      'interface to capture on; default: the first that is served',
      parseInterface,
    )
    .option('--follow', 'with --machine: then what it does from now on, as it happens; until Ctrl-C')
    .option('--json', 'as JSON')
    .action(doctor);
}

async function doctor(options: DoctorOptions): Promise<void> {
  const site = await openSite(options);
  const cards = options.machine === undefined ? [] : cardsOf(site, options.machine);
  if (options.capture !== undefined) return capture(site, options, options.capture, cards);
  if (options.machine !== undefined) return showMachine(site, options, cards);
  const findings = [...(await examineSite(site)), ...(await examineProgram(site))];
  if (options.json === true) console.log(JSON.stringify(findings));
  else console.log(formatFindings(findings, columnsOf(process.stdout)).join('\n'));
  if (findings.some(({ verdict }) => verdict === 'problem')) process.exitCode = 2;
}

/** Which version the runtime is, is known to whoever has the sources it is made of. */
async function examineProgram({ paths }: OpenSite): Promise<Finding[]> {
  if (!existsSync(paths.runtimeImage) || (await isRuntimeCurrent(paths))) return [];
  return [
    warning(
      'runtime',
      'The recovery runtime was built by another version of Rekindle.',
      'Build it again: rekindle runtime build',
    ),
  ];
}

async function showMachine(
  { state, configuration }: OpenSite,
  { json, follow }: DoctorOptions,
  cards: readonly MacAddress[],
): Promise<void> {
  const journal = createJournal(state, { keptBoots: configuration.journal.boots });
  const readBoots = () => cards.flatMap((mac) => journal.boots(mac));
  const boots = readBoots();
  const { mode } = configuration.dhcp;
  if (json === true) {
    const judged = boots.map((entries) => ({ entries, judgement: judgeBoot(entries, mode) ?? null }));
    console.log(JSON.stringify(judged));
    return;
  }
  if (follow === true) {
    using signal = interruptSignal();
    return await followBoots(readBoots, mode, signal);
  }
  if (boots.length === 0) {
    say(
      `Nothing was ever heard of ${cards.join(', ')}. Next: check its cable and switch port, and that it boots from the network (F12).`,
    );
    return;
  }
  printBoots(boots, mode);
}

async function capture(
  { configuration }: OpenSite,
  options: DoctorOptions,
  file: string,
  [machine]: readonly MacAddress[],
): Promise<void> {
  const [first] = findServedInterfaces(configuration);
  const interfaceName = options.interface ?? first?.name ?? '';
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  say(`Capturing on ${interfaceName} for ${options.for / 1000} s into ${file}. Stop with Ctrl-C.`);
  await capturePackets({
    interfaceName,
    file,
    milliseconds: options.for,
    signal: stopping.signal,
    ...(machine === undefined ? {} : { machine }),
  });
  say(`The packets are in ${file}. Look at them: tcpdump -vv -n -r ${file}`);
}

/** @throws RekindleError `not-found`: neither a MAC address nor a station */
function cardsOf({ state }: OpenSite, machine: string): MacAddress[] {
  const mac = parseMacAddress(machine);
  if (mac !== undefined) return [mac];
  const station = findStation(state, machine);
  if (station === undefined) {
    throw new RekindleError('not-found', `${machine} is neither a MAC address nor a station`, {
      next: 'Write 52:54:00:00:00:01, or a name that `rekindle station list` shows.',
    });
  }
  return station.passport.networkCards.flatMap((card) => parseMacAddress(card.mac) ?? []);
}

function parseInterface(text: string): string {
  if (/^[A-Za-z0-9_.:-]{1,15}$/.test(text) && !text.startsWith('-')) return text;
  throw new InvalidArgumentError('Write the name of an interface, e.g. eth1.');
}
