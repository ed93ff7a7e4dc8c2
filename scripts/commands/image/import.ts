import { type Command, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { importImage } from '#images/convert/import-image.ts';
import {
  type ImportFormat,
  importFormats,
  inspectVirtualDisk,
} from '#images/convert/inspect-virtual-disk.ts';
import { type ImageManifest, imageManifestSchema } from '#images/format/image-manifest.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { findStation } from '#pxe-server/stations/station-registry.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { openSite } from '../../site-option.ts';
import { printImage, summaryOf } from './capture.ts';
import { imageVerb, type StoreOption, storeOf } from './open-images.ts';
import { ownTurn } from './own-turn.ts';
import { parseStationName, stationFacts } from './station-facts.ts';

type Options = StoreOption & {
  readonly station: string;
  readonly passport?: string;
  readonly diskSlot?: readonly string[];
  readonly acceptSize?: boolean;
  readonly format?: ImportFormat;
  readonly consistency: ImageManifest['consistency'];
  readonly capturedAt?: string;
  readonly json?: boolean;
};

export function importCommand(): Command {
  return imageVerb('import')
    .description(
      'make an image of virtual disk files (raw, qcow2, VHD, VHDX), one for each disk of the station; they are only read',
    )
    .argument('<files...>', 'virtual disks, each complete in itself')
    .requiredOption('--station <name>', 'whose image it is')
    .option('--passport <file>', "the station's passport.json, when the registry has none or an older one")
    .option(
      '--disk-slot <slot>',
      'which disk of the passport a file is, in the order of the files; not needed where only one fits',
      (value: string, before: readonly string[] = []) => [...before, value],
    )
    .option('--accept-size', "a file may be larger or smaller than the station's disk")
    .addOption(
      new Option('--format <format>', "when the file's name says another than its content").choices(
        importFormats,
      ),
    )
    .addOption(
      new Option(
        '--consistency <how>',
        'what the files hold: "snapshot-with-application-writers" is for files that VSS made (docs/windows-capture.md)',
      )
        .choices(imageManifestSchema.shape.consistency.options)
        .default('crash'),
    )
    .option('--captured-at <time>', 'ISO 8601; else when the newest file was written last')
    .option('--json', 'the result as JSON')
    .action(runImport);
}

async function runImport(files: readonly string[], options: Options): Promise<void> {
  const site = await openSite(options);
  const station = parseStationName(options.station);
  const facts = await stationFacts(findStation(site.state, station), station, options.passport);
  const sources = [];
  for (const file of files) sources.push(await inspectVirtualDisk(file, options.format));
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const image = await importImage({
    ...facts,
    sources,
    slots: options.diskSlot ?? [],
    acceptSize: options.acceptSize ?? false,
    station,
    store: storeOf(site, options),
    signingKey: await readSigningKey(site.paths),
    consistency: options.consistency,
    ...(options.capturedAt === undefined ? {} : { capturedAt: parseTime(options.capturedAt) }),
    tools: { node: process.version, rekindle: 'import' },
    dataVolumes: site.configuration.volumes.data,
    turn: ownTurn(site, true),
    signal: interrupted,
    onProgress: ({ phase, disk, doneBytes, totalBytes }) =>
      line.show(phase === 'verify' ? 'verifying' : `disk ${disk}`, doneBytes, totalBytes),
  }).finally(() => line.end());
  if (options.json === true) console.log(JSON.stringify(summaryOf(image)));
  else printImage(image);
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(time.getTime()) && time.getTime() <= Date.now())
    return time;
  throw new RekindleError('usage', `--captured-at ${text}: it is no time in the past`, {
    next: 'Write it as 2026-11-20T02:00:00Z.',
  });
}
