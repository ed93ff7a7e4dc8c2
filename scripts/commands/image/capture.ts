import { type Command, Option } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { version } from '#base/version.ts';
import { type CapturedImage, captureImage, type OpenSources } from '#images/capture/capture-image.ts';
import { matchPassportDisks, type SourceDisk } from '#images/capture/match-passport-disk.ts';
import type { CaptureLimits } from '#images/capture/throttle.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { openOnlineSource } from '#images/snapshot/online-source.ts';
import type { CowSize } from '#images/snapshot/plan-snapshot.ts';
import type { Configuration } from '#pxe-server/config/configuration.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { captureLimits } from '#pxe-server/stations/capture-policy.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { findStation } from '#pxe-server/stations/station-registry.ts';
import { wrapBelow } from '#runtime/console/layout.ts';
import { parseByteRate, parsePercent } from '../../byte-rate.ts';
import { parseCowSize } from '../../cow-size.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { openSite } from '../../site-option.ts';
import { imageVerb, type StoreOption, storeOf } from './open-images.ts';
import { ownBootEntries } from './own-boot-entries.ts';
import { ownTurn } from './own-turn.ts';
import { readWindowsOf } from './read-windows.ts';
import { parseSource } from './source-disk.ts';
import { parseStationName, stationFacts } from './station-facts.ts';

type Options = StoreOption & {
  readonly station: string;
  readonly disk: readonly string[];
  readonly passport?: string;
  readonly limitRate?: number;
  readonly maxLoad?: number;
  readonly wait: boolean;
  readonly online?: boolean;
  readonly preFreeze?: readonly string[];
  readonly postThaw?: readonly string[];
  readonly cowSize: CowSize;
  readonly json?: boolean;
};

export function captureCommand(): Command {
  return imageVerb('capture')
    .description(
      'take an image of disks or disk files, sign it and verify it; interrupted, it leaves no image, and a second run reuses what is stored',
    )
    .requiredOption('--station <name>', 'whose image it is')
    .requiredOption(
      '--disk <source>',
      'block device or disk file; DEVICE,SERIAL says which disk of the passport it is. Once for each disk',
      (value: string, before: readonly string[] = []) => [...before, value],
    )
    .option('--passport <file>', "the station's passport.json, when the registry has none or an older one")
    .option('--limit-rate <rate>', 'bytes a second that are read, and sent, e.g. 2500K', parseByteRate)
    .option('--max-load <percent>', 'share of their time that the workers work, 1 to 100', parsePercent)
    .option('--no-wait', 'stop, instead of waiting, while another capture has its turn in the store')
    .option(
      '--online',
      'the disk is in use: its logical volumes (LVM) are snapshotted, the rest must stand still',
    )
    .option('--pre-freeze <command>', 'online: shell command before the snapshots; again for more', inOrder)
    .option('--post-thaw <command>', 'online: shell command after them; again for more', inOrder)
    .addOption(
      new Option(
        '--cow-size <size>',
        'online: room for what changes meanwhile, a share of each volume (10%) or bytes (2G)',
      )
        .argParser(parseCowSize)
        .default({ percent: 10 }, '10%'),
    )
    .option('--json', 'the result as JSON')
    .action(capture);
}

async function capture(options: Options): Promise<void> {
  const site = await openSite(options);
  const name = parseStationName(options.station);
  const station = findStation(site.state, name);
  const facts = await stationFacts(station, name, options.passport);
  const sources = await Promise.all(options.disk.map(parseSource));
  const matched = matchPassportDisks(sources, facts.passport);
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const openSources = onlineSources(options, sources);
  const boot = await ownBootEntries(
    sources.map(({ path }) => path),
    facts.passport.firmware.kind,
  );
  const image = await captureImage({
    ...facts,
    readWindows: readWindowsOf,
    bootEntries: [...boot.entries],
    bootOrder: [...boot.order],
    store: storeOf(site, options),
    station: name,
    signingKey: await readSigningKey(site.paths),
    disks: sources.flatMap(({ path }, number) => {
      const passportDisk = matched[number];
      return passportDisk === undefined ? [] : [{ path, passportDisk }];
    }),
    ...(openSources === undefined ? {} : { openSources }),
    consistency: 'offline',
    tools: { node: process.version, rekindle: version },
    dataVolumes: site.configuration.volumes.data,
    limits: limitsOf(options, station, site.configuration.captures),
    turn: ownTurn(site, options.wait),
    signal: interrupted,
    onProgress: ({ phase, disk, doneBytes, totalBytes }) =>
      line.show(phase === 'verify' ? 'verifying' : `disk ${disk}`, doneBytes, totalBytes),
  }).finally(() => line.end());
  if (options.json === true) console.log(JSON.stringify(summaryOf(image)));
  else printImage(image);
}

function limitsOf(
  { limitRate, maxLoad }: Options,
  station: Station | undefined,
  policy: Configuration['captures'],
): CaptureLimits {
  return {
    ...captureLimits(station, policy),
    ...(limitRate === undefined ? {} : { bytesPerSecond: limitRate }),
    ...(maxLoad === undefined ? {} : { loadPercent: maxLoad }),
  };
}

/**
 * How to open a disk in use; not before it is the capture's turn, for a snapshot fills up while it waits.
 * @throws RekindleError `usage`: options that only fit together with --online, or more than one disk
 */
function onlineSources(
  options: Options,
  sources: readonly SourceDisk[],
): (() => Promise<OpenSources>) | undefined {
  const { online, preFreeze = [], postThaw = [], cowSize } = options;
  if (online !== true) {
    if (preFreeze.length + postThaw.length === 0) return undefined;
    throw new RekindleError('usage', '--pre-freeze and --post-thaw only mean something with --online');
  }
  const [source, ...others] = sources;
  if (source === undefined || others.length > 0) {
    throw new RekindleError('usage', '--online takes one disk: two would be of two moments', {
      next: 'Capture a station with several disks from the network.',
    });
  }
  return async () => {
    const online = await openOnlineSource({ disk: source.path, cowSize, preFreeze, postThaw });
    return { ...online, paths: [online.path], capturedAt: online.takenAt };
  };
}

const inOrder = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Of a finished capture or import, for `--json`. */
export function summaryOf({
  name,
  manifest,
  manifestSha256,
  disks,
  change,
  verified,
  warnings,
}: CapturedImage) {
  return {
    ref: formatImageRef(name),
    manifestSha256,
    capturedAt: manifest.capturedAt,
    sequence: manifest.sequence,
    change,
    verified,
    warnings,
    disks: manifest.disks.map(({ number, slot, sizeBytes, volumes }, at) => ({
      number,
      slot,
      sizeBytes,
      readBytes: disks[at]?.stats.readBytes,
      seconds: disks[at]?.stats.seconds,
      volumes,
    })),
  };
}

/** The same for people. */
export function printImage(image: CapturedImage): void {
  const { change, verified, warnings, manifest } = image;
  const share = (change.share * 100).toFixed(1);
  console.log(
    [
      `Image ${formatImageRef(image.name)} is published, signed and verified.`,
      ...warnings.flatMap((warning) => wrapBelow('  warning: ', warning)),
      ...manifest.disks.flatMap(({ number, volumes }) =>
        volumes.flatMap((volume) => {
          const how = volume.capturedAs === 'used-blocks' ? 'used blocks' : `all blocks: ${volume.reason}`;
          const what = [volume.fileSystem ?? 'unknown', volume.label ?? volume.name]
            .filter(Boolean)
            .join(' ');
          const size = `${formatBytes(volume.usedBytes)} of ${formatBytes(volume.sizeBytes)}`;
          return wrapBelow(`  disk ${number} volume ${volume.number}: `, `${what}, ${size} (${how})`);
        }),
      ),
      ...wrapBelow(
        '  new since the last image: ',
        `${formatBytes(change.newBytes)} of ${formatBytes(change.contentBytes)} (${share} %), ${formatBytes(change.storedBytes)} in the store`,
      ),
      ...wrapBelow(
        '  read again from the store: ',
        `${verified.readAgain} new chunks${verified.fromMedium ? '' : ' (maybe from the page cache)'}; found present: ${verified.foundPresent} older ones`,
      ),
    ].join('\n'),
  );
}
