import { type Command, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import type { CapturedImage, CaptureImageProgress } from '#images/capture/capture-image.ts';
import { importImage } from '#images/convert/import-image.ts';
import { type ImportVolumesOptions, importVolumes, type VolumeFile } from '#images/convert/import-volumes.ts';
import {
  type ImportFormat,
  importFormats,
  inspectVirtualDisk,
} from '#images/convert/inspect-virtual-disk.ts';
import { type ImageManifest, imageManifestSchema } from '#images/format/image-manifest.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { resolveImage } from '#images/stores/image-folder.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { findStation } from '#pxe-server/stations/station-registry.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { openSite } from '../../site-option.ts';
import { printImage, summaryOf } from './capture.ts';
import { imageVerb, type StoreOption, storeOf } from './open-images.ts';
import { ownTurn } from './own-turn.ts';
import { readWindowsOf } from './read-windows.ts';
import { parseStationName, stationFacts } from './station-facts.ts';

type Options = StoreOption & {
  readonly station: string;
  readonly passport?: string;
  readonly base?: string;
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
      'make an image of virtual disk files (raw, qcow2, VHD, VHDX), one for each disk of the station; they are only read. With --base: of files with one volume each, as Windows Server Backup writes them',
    )
    .argument('<files...>', 'virtual disks, each complete in itself; with --base DISK:VOLUME=FILE')
    .option(
      '--base <ref>',
      'an earlier image of the station: partition tables, boot code and every volume for which no file is named come from it; `image show` lists its volumes',
    )
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
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const shared = {
    ...facts,
    station,
    store: storeOf(site, options),
    signingKey: await readSigningKey(site.paths),
    consistency: options.consistency,
    ...(options.capturedAt === undefined ? {} : { capturedAt: parseTime(options.capturedAt) }),
    tools: { node: process.version, rekindle: 'import' },
    dataVolumes: site.configuration.volumes.data,
    turn: ownTurn(site, true),
    readWindows: readWindowsOf,
    signal: interrupted,
    onProgress: ({ phase, disk, doneBytes, totalBytes }: CaptureImageProgress) =>
      line.show(phase === 'verify' ? 'verifying' : `disk ${disk}`, doneBytes, totalBytes),
  };
  const image = await (options.base === undefined
    ? importDisks(files, options, shared)
    : importOnto(options.base, files, options, shared)
  ).finally(() => line.end());
  if (options.json === true) console.log(JSON.stringify(summaryOf(image)));
  else printImage(image);
}

type Shared = Omit<ImportVolumesOptions, 'base' | 'files'>;

async function importDisks(
  files: readonly string[],
  { format, diskSlot, acceptSize }: Options,
  shared: Shared,
): Promise<CapturedImage> {
  const sources = [];
  for (const file of files) sources.push(await inspectVirtualDisk(file, format));
  return importImage({
    ...shared,
    sources,
    slots: diskSlot ?? [],
    acceptSize: acceptSize ?? false,
  });
}

async function importOnto(
  base: string,
  files: readonly string[],
  { format }: Options,
  shared: Shared,
): Promise<CapturedImage> {
  const volumes: VolumeFile[] = [];
  for (const text of files) {
    const [, disk, volume, file] = /^(\d{1,4}):(\d{1,4})=(.+)$/s.exec(text) ?? [];
    if (file === undefined)
      throw new RekindleError('usage', `Importing onto ${base}: "${text}" does not say which volume it is`, {
        next: 'Write DISK:VOLUME=FILE, e.g. 0:3=C.vhdx; rekindle image show lists the volumes of the base image.',
      });
    const source = await inspectVirtualDisk(file, format);
    volumes.push({ source, disk: Number(disk), volume: Number(volume) });
  }
  const ref = parseImageRef(base);
  if (ref.station !== shared.station)
    throw new RekindleError('usage', `Importing onto ${base}: it is no image of ${shared.station}`, {
      next: 'Name an image of the same station.',
    });
  const name = await resolveImage(shared.store, ref);
  return importVolumes({ ...shared, base: name, files: volumes });
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(time.getTime()) && time.getTime() <= Date.now())
    return time;
  throw new RekindleError('usage', `--captured-at ${text}: it is no time in the past`, {
    next: 'Write it as 2026-11-20T02:00:00Z.',
  });
}
