import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { findHitImages } from '#images/upkeep/find-hit-images.ts';
import { type Verification, verifyImages } from '#images/upkeep/verify.ts';
import { wrap } from '#runtime/console/layout.ts';
import { formatDuration, formatRate } from '#runtime/console/quantities.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { chooseImages } from './choose-images.ts';
import { type LimitOptions, limitsOf, withLimits } from './limit-options.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';

type Options = StoreOption & LimitOptions & { readonly all?: boolean; readonly json?: boolean };

export function verifyCommand(): Command {
  const command = imageVerb('verify')
    .description(
      'read images again: signature, files and every chunk, each chunk once; a damaged chunk is set aside; interrupted, it goes on where it was',
    )
    .argument('[images...]', 'STATION@latest, STATION@<UTC time>, or STATION for all of its images')
    .option('--all', 'every image of the store')
    .option('--json', 'the result as JSON');
  return withLimits(command, 'of content that is checked').action(verify);
}

async function verify(wanted: readonly string[], options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const names = await chooseImages(store, wanted, options.all === true);
  if (names.length === 0) throw nothingThere(store);
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const done = await verifyImages({
    store,
    publicKey: key,
    names,
    limits: limitsOf(options),
    signal: interrupted,
    onProgress: (doneBytes, totalBytes) => line.show('verifying', doneBytes, totalBytes),
  }).finally(() => line.end());
  const hit = (await findHitImages(store, key, done.bad)).map(formatImageRef);
  if (options.json === true) console.log(JSON.stringify(summaryOf(done, hit)));
  else print(done, store);
  assertWhole(done, hit);
}

/** Nothing damaged would be no answer: an empty mount point looks like this. */
function nothingThere(store: string): RekindleError {
  return new RekindleError('not-found', `Verifying images of ${store}: there is no image at all`, {
    next: 'Check the path, and that the right disk or share is mounted.',
  });
}

function summaryOf(done: Verification, hit: readonly string[]) {
  return {
    ...done,
    images: done.images.map(({ name, ...verdict }) => ({ ref: formatImageRef(name), ...verdict })),
    hit,
  };
}

function print(done: Verification, store: string): void {
  for (const { name, result, chunks, bytes } of done.images) {
    const what = result === 'whole' ? 'whole' : 'DAMAGED';
    console.log(
      `${formatImageRef(name).padEnd(40)} ${what.padEnd(8)} ${chunks} chunks, ${formatBytes(bytes)}`,
    );
  }
  const again = done.chunks - done.readBefore;
  const before = done.readBefore === 0 ? '' : `; ${done.readBefore} were read by an interrupted verification`;
  const rate = formatRate(done.readBytes / Math.max(done.seconds, 0.001));
  const read = `${again} chunks read in ${formatDuration(done.seconds)} (${rate} of content)${before}.`;
  console.log(wrap(read).join('\n'));
  if (!done.recorded) console.log(`Not recorded: ${store} cannot be written from here.`);
}

/** @throws RekindleError `verification-failed`, naming chunks and every image that they hit */
function assertWhole({ images, bad }: Verification, hit: readonly string[]): void {
  const damaged = images.filter(({ result }) => result === 'damaged');
  if (damaged.length === 0) return;
  const problems = [...new Set(damaged.flatMap((image) => image.problems))];
  const others = hit.filter((ref) => !damaged.some(({ name }) => formatImageRef(name) === ref));
  const lines = [
    `${damaged.length} of ${images.length} images are damaged: ${damaged.map(({ name }) => formatImageRef(name)).join(', ')}`,
    ...problems.slice(0, 20).map((problem) => `  ${problem}`),
    ...(problems.length > 20 ? [`  and ${problems.length - 20} more`] : []),
    ...(others.length > 0 ? [`These images need the same chunks: ${others.join(', ')}`] : []),
  ];
  throw new RekindleError('verification-failed', lines.join('\n'), {
    next: 'Copy the images from a second store (rekindle image copy), which sends what is missing; or capture the stations again.',
    details: {
      bad: bad.slice(0, 100).map(({ id }) => id),
      images: damaged.map(({ name }) => formatImageRef(name)),
    },
  });
}
