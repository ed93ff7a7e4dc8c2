import { RekindleError } from '#base/errors.ts';
import { openDisk } from '../block-device/disk-handle.ts';
import { type CapturedImage, captureImage } from '../capture/capture-image.ts';
import type { ImageDisk, Volume } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import { findImageDisk } from '../mount/serve-image-disk.ts';
import type { PassportDisk } from '../passport/hardware-passport.ts';
import { announceReading } from '../stores/announce-reading.ts';
import { readManifest } from '../stores/image-folder.ts';
import { nameImageOf } from '../stores/next-image.ts';
import type { Replacement } from './composed-disk.ts';
import { fitVolume } from './fit-volume.ts';
import type { ImportImageOptions } from './import-image.ts';
import { readQemuVersion } from './import-image.ts';
import { assertUnchanged, type VirtualDisk } from './inspect-virtual-disk.ts';
import { type OpenComposedDisk, openComposedDisk } from './open-composed-disk.ts';
import { openVirtualDisk } from './open-virtual-disk.ts';

/** A file with one volume, and which volume of the station it is. */
export interface VolumeFile {
  readonly source: VirtualDisk;
  readonly disk: number;
  readonly volume: number;
}

export interface ImportVolumesOptions extends Omit<ImportImageOptions, 'sources' | 'slots' | 'acceptSize'> {
  /** The station's image that has partition tables, boot code and every volume for which there is no file. */
  readonly base: ImageName;
  readonly files: readonly VolumeFile[];
}

/**
 * Files with one volume each, as Windows Server Backup writes them, become an image of the whole station: everything
 * that no file brings is as it was in an earlier image of it. The files are read where they are, and nothing is copied.
 * @throws RekindleError `target-unfit` (a file does not fit its place), `not-found`, and as `importImage`
 */
export async function importVolumes(options: ImportVolumesOptions): Promise<CapturedImage> {
  const { base, files, store, station, signingKey } = options;
  const capturedAt =
    options.capturedAt ??
    new Date(Math.max(...files.map(({ source: { writtenAt } }) => writtenAt.getTime())));
  await nameImageOf(store, station, capturedAt);
  const { manifest } = await readManifest(store, base, signingKey);
  const found = await Promise.all(
    manifest.disks.map(({ number }) => findImageDisk(store, base, signingKey, number)),
  );
  await using stack = new AsyncDisposableStack();
  const indexes = found.map(({ index }) => index);
  const reading = await announceReading(store, base, 'an import', indexes);
  if (reading.kind === 'announced') stack.use(reading.announcement);

  const replacements = new Map<number, Replacement[]>();
  for (const file of files) {
    const { disk, volume } = findVolume(manifest.disks, file, base);
    const { file: path } = stack.use(await openVirtualDisk(file.source));
    const others = replacements.get(disk.number) ?? [];
    if (others.some(({ startByte }) => startByte === volume.startByte)) throw namedTwice(file);
    others.push(replacementOf(path, file.source, disk, volume));
    replacements.set(disk.number, others);
  }
  const disks: { path: string; passportDisk: PassportDisk; open: OpenComposedDisk }[] = [];
  for (const { disk, index } of found) {
    const open = stack.use(
      await openComposedDisk({
        store: { kind: 'directory', path: store },
        index,
        replacements: replacements.get(disk.number) ?? [],
      }),
    );
    disks.push({ path: open.file, passportDisk: passportDiskOf(disk, options, base), open });
  }
  const image = await captureImage({
    ...options,
    disks,
    capturedAt,
    bootEntries: manifest.firmware.bootEntries,
    bootOrder: manifest.firmware.bootOrder,
    openSources: async () => ({
      paths: disks.map(({ path }) => path),
      async assertWhole(cause) {
        const unreadable = disks.map(({ open }) => open.unreadable()).find((error) => error !== undefined);
        if (unreadable !== undefined) throw unreadable;
        for (const { source } of files) assertUnchanged(source, cause);
      },
      async [Symbol.asyncDispose]() {},
    }),
    tools: { ...options.tools, 'qemu-img': await readQemuVersion(), base: formatImageRef(base) },
  });
  const named = files.map(({ disk, volume }) => `${disk}:${volume}`).join(', ');
  const remark = `everything but ${named} is as it was in ${formatImageRef(base)}, ${manifest.capturedAt}`;
  return { ...image, warnings: [remark, ...image.warnings] };
}

const namedTwice = ({ source, disk, volume }: VolumeFile): RekindleError =>
  new RekindleError('usage', `Importing ${source.path}: there is another file for volume ${disk}:${volume}`, {
    next: 'Name one file for each volume.',
  });

function findVolume(
  disks: readonly ImageDisk[],
  { source, disk: number, volume: wanted }: VolumeFile,
  base: ImageName,
): { readonly disk: ImageDisk; readonly volume: Volume } {
  const disk = disks.find((each) => each.number === number);
  const volume = disk?.volumes.find((each) => each.number === wanted);
  if (disk !== undefined && volume !== undefined) return { disk, volume };
  const known = disks.flatMap((each) =>
    each.volumes.map(({ number: own, name, label }) => `${each.number}:${own} "${name || (label ?? '')}"`),
  );
  throw new RekindleError(
    'not-found',
    `Importing ${source.path} as ${number}:${wanted}: ${formatImageRef(base)} has no such volume`,
    { next: `It has ${known.join(', ')}.` },
  );
}

function replacementOf(path: string, source: VirtualDisk, disk: ImageDisk, volume: Volume): Replacement {
  const file = openDisk(path);
  try {
    const what = `${source.path} as volume ${volume.number} of disk ${disk.number}`;
    const { fileOffset, sizeBytes, patches } = fitVolume(file, volume, disk.logicalSectorBytes, what);
    const { startByte } = volume;
    return { startByte, sizeBytes: volume.sizeBytes, file: path, fileOffset, fileBytes: sizeBytes, patches };
  } finally {
    file.close();
  }
}

/** By place and size: the station's disk that the base image was taken of, or its confirmed replacement. */
function passportDiskOf(disk: ImageDisk, { passport }: ImportVolumesOptions, base: ImageName): PassportDisk {
  const own = passport.disks.find(
    ({ slot, sizeBytes }) => slot === disk.slot && sizeBytes === disk.sizeBytes,
  );
  if (own !== undefined) return own;
  throw new RekindleError(
    'target-unfit',
    `Importing volumes onto ${formatImageRef(base)}: the station has no disk of ${disk.sizeBytes} bytes at ${disk.slot} any more`,
    { next: 'Capture the station from the network (F12) once more, and import onto that image.' },
  );
}
