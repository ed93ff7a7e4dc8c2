import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { formatUtc, parseImageRef } from '#images/format/image-name.ts';
import { resolveImage } from '#images/stores/image-folder.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { rehearsalFolder } from '#pxe-server/stations/last-rehearsal.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { bootCellNames, labNetworkModes } from '../rehearsal/boot-matrix.ts';
import type { FirmwareKind } from '../rehearsal/machine-hardware.ts';
import { formatRehearsalReport } from '../rehearsal/rehearsal-report.ts';
import { rehearseDemo } from '../rehearsal/rehearse-demo.ts';
import { formatRecord } from '../rehearsal/stand-in/format-record.ts';
import { rehearseStation } from '../rehearsal/stand-in/rehearse-station.ts';
import { assertRuntimeCurrent } from '../runtime/assert-runtime-current.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';
import { compareWithBare } from './rehearse/boot-ratio.ts';
import { bootCell, rehearseBoots } from './rehearse/boots.ts';
import { evidenceDirectory, stateDirectory } from './rehearse/evidence.ts';

interface RehearseOptions extends SiteOption {
  readonly demo?: boolean;
  readonly domain: boolean;
  readonly boot?: string;
  readonly network: string;
  readonly compare?: number;
  readonly firmware: FirmwareKind;
  readonly report?: string;
  readonly json?: boolean;
  readonly image?: string;
  readonly scratch?: string;
  readonly marker?: RegExp;
  readonly startSeconds: number;
}

export function rehearseCommand(): Command {
  return withSite(new Command('rehearse'))
    .description(
      'a whole recovery in emulated machines: of a station, on a declared stand-in that has its identity and disks; or of the demo station, from enrolment to proof',
    )
    .argument('[station]', 'an enrolled station of this site; nothing of the site is changed')
    .option('--demo', 'rehearse with the demo station, a small Debian system')
    .option('--no-domain', 'with --demo: no domain in the lab, so no hooks')
    .addOption(
      new Option('--firmware <kind>', 'firmware of the machine').choices(['bios', 'uefi']).default('bios'),
    )
    .option(
      '--boot <loaders>',
      `only boots, to the runtime's first line: ${bootCellNames.join(', ')}, or all`,
    )
    .option('--network <modes>', `with --boot: ${labNetworkModes.join(', ')}, or all`, 'reservation')
    .option(
      '--compare <rounds>',
      'with --boot of one loader: against a bare busybox initrd, in turns',
      Number,
    )
    .option(
      '--report <folder>',
      "where the evidence goes; default: the site's rehearsals folder, of the demo .rekindle/evidence",
    )
    .option('--image <ref>', 'of a station: STATION@<UTC time> (default: its newest image)')
    .option('--scratch <folder>', 'of a station: where its disks go as sparse files while it lasts')
    .option(
      '--marker <regex>',
      'what the restored system prints on its first serial line when it is up',
      parseRegex,
    )
    .option('--start-seconds <n>', 'how long the restored system may take', parseSeconds, 180)
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Needs root: it makes a network namespace of its own and removes it again.`,
    )
    .action(rehearse);
}

async function rehearse(station: string | undefined, options: RehearseOptions): Promise<void> {
  const { boot, compare } = options;
  if ([station !== undefined, options.demo === true, boot !== undefined].filter(Boolean).length !== 1) {
    throw new RekindleError(
      'usage',
      'What is to be rehearsed is not clear: one station, the demo, or a boot',
      {
        next: 'rekindle rehearse STATION, rekindle rehearse --demo, or rekindle rehearse --boot all',
      },
    );
  }
  if (process.getuid?.() !== 0) {
    throw new RekindleError('usage', 'a rehearsal needs root: it makes a network namespace of its own', {
      next: 'Run this as root.',
    });
  }
  if (boot !== undefined)
    return compare === undefined
      ? rehearseBoots(boot, options)
      : compareWithBare(bootCell(boot), compare, options);
  return station === undefined ? demo(options) : stationRehearsal(station, options);
}

async function stationRehearsal(name: string, options: RehearseOptions): Promise<void> {
  const { state, paths, configuration } = await openSite(options);
  const station = getStation(state, name);
  const store = storeFolder(configuration, paths.folder);
  const ref = parseImageRef(options.image ?? `${station.name}@latest`);
  const image = await resolveImage(store, ref);
  await assertRuntimeCurrent(paths, `Rehearsing ${station.name}`);
  const { json = false, scratch, marker, startSeconds } = options;
  const evidence = path.resolve(
    options.report ?? rehearsalFolder(paths, station.name, formatUtc(new Date())),
  );
  const record = await rehearseStation({
    ...{ paths, store, station, image, evidence, startSeconds },
    signingKey: await readSigningKey(paths),
    ...(scratch === undefined ? {} : { scratch: path.resolve(scratch) }),
    ...(marker === undefined ? {} : { marker }),
    onProgress: (line) => console.error(line),
  });
  console.log(json ? JSON.stringify(record, null, 2) : `\n${formatRecord(record)}\n\nEvidence: ${evidence}`);
  if (record.outcome === 'failed') {
    throw new RekindleError('verification-failed', `The rehearsal of ${station.name} did not reach its end`, {
      next: `Read the consoles in ${evidence}.`,
    });
  }
}

function parseRegex(text: string): RegExp {
  try {
    return new RegExp(text, 'm');
  } catch {
    throw new InvalidArgumentError('It is no regular expression.');
  }
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('Write whole seconds, 1 to 86400.');
}

async function demo(options: RehearseOptions): Promise<void> {
  const { firmware, json = false, domain: withDomain } = options;
  const evidence = path.resolve(options.report ?? evidenceDirectory(firmware));
  const report = await rehearseDemo({
    firmware,
    stateDirectory,
    evidence,
    withDomain,
    onProgress: (line) => (json ? console.error(line) : console.log(line)),
  });
  console.log(json ? JSON.stringify(report, null, 2) : `\n${await formatRehearsalReport(evidence, report)}`);
  if (!json) console.log(`Evidence: ${evidence}`);
  if (report.outcome === 'failed') {
    throw new RekindleError('verification-failed', 'The rehearsal did not reach its end', {
      next: `Read the consoles in ${evidence}.`,
    });
  }
}
