import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { copyImages } from '#images/upkeep/copy.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { chooseImages } from './choose-images.ts';
import { type LimitOptions, limitsOf, withLimits } from './limit-options.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';

type Options = StoreOption &
  LimitOptions & { readonly to: string; readonly all?: boolean; readonly json?: boolean };

export function copyCommand(): Command {
  const command = imageVerb('copy')
    .description(
      'copy images to a second store; only chunks that it lacks are sent, each checked on the way, and nothing there is ever removed or replaced',
    )
    .argument('[images...]', 'STATION@latest, STATION@<UTC time>, or STATION for all of its images')
    .requiredOption('--to <store>', 'a folder, or the URL of a web server that takes PUT')
    .option('--all', 'every image of the store')
    .option('--json', 'the result as JSON');
  return withLimits(command, 'that are sent').action(copy);
}

async function copy(wanted: readonly string[], options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const names = await chooseImages(store, wanted, options.all === true);
  const target = parseStore(options.to);
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const copied = await copyImages({
    from: store,
    to: target.kind === 'http' ? target.url : target.path,
    publicKey: key,
    names,
    limits: limitsOf(options),
    signal: interrupted,
    onProgress: (name, done, total) => line.count(formatImageRef(name), done, total),
  }).finally(() => line.end());
  const rows = copied.map(({ name, ...row }) => ({ ref: formatImageRef(name), ...row }));
  if (options.json === true) console.log(JSON.stringify({ images: rows }));
  else {
    for (const { ref, outcome, chunks, sentChunks, sentBytes } of rows)
      console.log(
        `${ref.padEnd(40)} ${outcome}: ${sentChunks} of ${chunks} chunks sent, ${formatBytes(sentBytes)}`,
      );
    if (rows.length === 0) console.log('The store has no image; nothing was copied, and nothing removed.');
  }
}
