import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatError, RekindleError } from '#base/errors.ts';
import { formatImageRef, parseImageRef } from '#images/format/image-name.ts';
import { mountImage, stillMounted } from '#images/mount/mount-image.ts';
import { type FoundDisk, findImageDisk, serveImageDisk } from '#images/mount/serve-image-disk.ts';
import { resolveImage } from '#images/stores/image-folder.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { parseNumber } from './export.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';

type Options = StoreOption & {
  readonly disk: number;
  readonly volume?: number;
  readonly at?: string;
  readonly nbd?: string;
};

export function mountCommand(): Command {
  return imageVerb('mount')
    .description(
      'show the files of an image in a folder, or its disk on a socket, read-only, until Ctrl-C, SIGTERM or umount',
    )
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .option('--disk <number>', 'which disk of the image', parseNumber, 0)
    .option('--volume <number>', 'only this volume, in the folder itself', parseNumber)
    .option('--at <folder>', 'empty folder for the files; needs root')
    .option('--nbd <socket>', 'instead: serve the disk over NBD on a unix socket; needs no root')
    .action(mount);
}

async function mount(ref: string, options: Options): Promise<void> {
  const { at, nbd } = options;
  if ((at === undefined) === (nbd === undefined))
    throw new RekindleError('usage', 'Mounting an image: it needs a folder or a socket, and not both', {
      next: 'Add --at FOLDER, or --nbd SOCKET.',
    });
  const { store, key } = await openImages(options);
  const name = await resolveImage(store, parseImageRef(ref));
  const from = await findImageDisk(store, name, key, options.disk);
  const what = `Disk ${options.disk} of ${formatImageRef(name)}`;
  using interrupted = interruptSignal();
  if (nbd !== undefined) await serve(from, resolve(nbd), what, interrupted);
  else if (at !== undefined) await show(from, at, options.volume, what, interrupted);
}

const onUnreadable = (error: unknown): void => console.error(formatError(error));

async function serve(from: FoundDisk, socket: string, what: string, interrupted: AbortSignal): Promise<void> {
  await using server = await serveImageDisk(from, { socket, onUnreadable, onProtocolError: console.error });
  console.log(
    [
      `${what} is at ${server.uri}, read-only, until Ctrl-C. For example:`,
      `  nbdinfo '${server.uri}'`,
      `  guestfish --ro --format=raw --add 'nbd://?socket=${server.socket}' --inspector`,
      `  qemu-system-x86_64 -snapshot -drive 'file=${server.uri},format=raw'`,
    ].join('\n'),
  );
  await aborted(interrupted);
}

async function show(
  from: FoundDisk,
  folder: string,
  volume: number | undefined,
  what: string,
  interrupted: AbortSignal,
): Promise<void> {
  const mounted = await mountImage({
    from,
    folder,
    onUnreadable,
    ...(volume === undefined ? {} : { volume }),
  });
  for (const sentence of mounted.skipped) console.log(`Left out: ${sentence}`);
  for (const { folder: place, remark } of mounted.volumes)
    console.log(`${what} is at ${place}${remark === undefined ? '' : `; ${remark}`}.`);
  console.log('Everything is read-only. Ctrl-C unmounts it.');
  await Promise.race([aborted(interrupted), mounted.ended]);
  const left = interrupted.aborted ? [] : stillMounted(mounted.volumes);
  // A second Ctrl-C does not wait for programs that use the files.
  using force = interruptSignal();
  await mounted.unmount(force, (place, reason) =>
    console.error(
      `${reason}\nPrograms still use ${place} (fuser -vm ${place} names them). Waiting; Ctrl-C again unmounts it under them.`,
    ),
  );
  if (left.length > 0)
    throw new RekindleError(
      'unexpected',
      `${what}: nbdfuse ended by itself, ${left.join(', ')} was unmounted`,
      {
        next: 'Mount it again.',
      },
    );
  console.log('Unmounted.');
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
