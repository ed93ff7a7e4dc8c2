import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { formatImageRef, parseImageRef } from '#images/format/image-name.ts';
import { collectGarbage, type GcResult } from '#images/upkeep/gc.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { wrap } from '#runtime/console/layout.ts';
import { formatDuration } from '#runtime/console/quantities.ts';
import { createProgressLine } from '../../progress-line.ts';
import { openSite } from '../../site-option.ts';
import { assertFolderStore, imageVerb, type StoreOption, storeOf } from './open-images.ts';

type Options = StoreOption & {
  readonly dryRun?: boolean;
  readonly ignoreDamaged: readonly string[];
  readonly json?: boolean;
};

export function gcCommand(): Command {
  return imageVerb('gc')
    .description(
      'remove chunks that no image and no running capture needs; refuses while an image is damaged, for its chunks are not known',
    )
    .option('--dry-run', 'say what would be removed')
    .option(
      '--ignore-damaged <ref>',
      'give this damaged image up, STATION@<UTC time>; once for each',
      (value: string, before: readonly string[] = []) => [...before, formatImageRef(parseImageRef(value))],
      [],
    )
    .option('--json', 'the result as JSON')
    .action(gc);
}

async function gc(options: Options): Promise<void> {
  const site = await openSite(options);
  const store = storeOf(site, options);
  assertFolderStore(store, 'image gc');
  const graceMs = site.configuration.gc.graceHours * 3_600_000;
  const startedAt = performance.now();
  const line = createProgressLine();
  const result = await collectGarbage({
    store,
    publicKey: await readSigningPublicKey(site.paths),
    graceMs,
    silentMs: graceMs,
    ignoreDamaged: options.ignoreDamaged,
    dryRun: options.dryRun === true,
    onProgress: (phase, done, total) => line.count(sentences[phase], done, total),
  }).finally(() => line.end());
  const seconds = (performance.now() - startedAt) / 1000;
  if (options.json === true)
    console.log(JSON.stringify({ ...result, dryRun: options.dryRun === true, seconds }));
  else print(result, options.dryRun === true, seconds, site.configuration.gc.graceHours);
}

const sentences = {
  mark: 'reading images',
  condemn: 'looking at chunks',
  'mark-again': 'reading images again',
  remove: 'removing chunks',
} as const;

function print(
  { images, chunks, captures, readings, ignoredDamaged }: GcResult,
  dry: boolean,
  seconds: number,
  hours: number,
) {
  const would = dry ? 'would be removed' : 'removed';
  const lines = [
    `${chunks.removed} chunks ${would}: ${formatBytes(chunks.removedBytes)}. ${chunks.kept} are needed by ${images === 1 ? 'one image' : `${images} images`} and ${captures.running} running captures${readings > 0 ? `, ${readings} restores and others that read an image` : ''}.`,
    chunks.young > 0 ? `${chunks.young} are in no image, but younger than ${hours} h: left alone.` : '',
    chunks.bad > 0
      ? `${chunks.bad} damaged ones that were set aside (.bad) are left for a look; remove them by hand.`
      : '',
    chunks.temporary > 0 ? `${chunks.temporary} files of interrupted writes ${would}.` : '',
    captures.dropped > 0 ? `${captures.dropped} interrupted captures forgotten.` : '',
    ignoredDamaged.length > 0 ? `Given up: ${ignoredDamaged.join(', ')}.` : '',
    `It took ${formatDuration(seconds)}.`,
  ];
  console.log(
    lines
      .filter((each) => each !== '')
      .flatMap((each) => wrap(each))
      .join('\n'),
  );
}
