import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { exportDisk } from '#images/convert/export-disk.ts';
import { type ExportFormat, exportFormats } from '#images/convert/plan-export.ts';
import { formatImageRef, parseImageRef } from '#images/format/image-name.ts';
import { findImageDisk } from '#images/mount/serve-image-disk.ts';
import { resolveImage } from '#images/stores/image-folder.ts';
import { formatDuration } from '#runtime/console/quantities.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';

type Options = StoreOption & {
  readonly disk: number;
  readonly format: ExportFormat;
  readonly output: string;
};

export function exportCommand(): Command {
  return imageVerb('export')
    .description(
      'write a disk of an image as a virtual disk, every chunk verified; the file appears when it is complete',
    )
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .option('--disk <number>', 'which disk of the image', parseNumber, 0)
    .addOption(new Option('--format <format>', 'of the file').choices(exportFormats).makeOptionMandatory())
    .requiredOption('--output <file>', 'must not exist')
    .action(runExport);
}

async function runExport(ref: string, options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const name = await resolveImage(store, parseImageRef(ref));
  const from = await findImageDisk(store, name, key, options.disk);
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const { format, output } = options;
  const done = await exportDisk({
    from,
    format,
    output,
    signal: interrupted,
    onProgress: (doneBytes, totalBytes) => line.show('exporting', doneBytes, totalBytes),
  }).finally(() => line.end());
  const { logicalSectorBytes } = from.disk;
  console.log(
    [
      `Disk ${options.disk} of ${formatImageRef(name)} is in ${output} (${format}): ${formatBytes(done.sizeBytes)}, ${formatBytes(done.dataBytes)} of data, in ${formatDuration(done.seconds)}.`,
      ...(logicalSectorBytes === 512
        ? []
        : [
            `Its sectors have ${logicalSectorBytes} bytes. The file does not say so: attach it as such a disk (QEMU: logical_block_size=${logicalSectorBytes}).`,
          ]),
    ].join('\n'),
  );
}

export function parseNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a number, from 0.');
}
