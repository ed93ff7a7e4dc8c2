import { mkdir, mkdtemp, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import {
  mediumStore,
  type StationTicket,
  stationTicketSchema,
  ticketFile,
  ticketInitramfsFile,
} from '#contract/station-ticket.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { type PublicKey, type SecretKey, signBytes } from '#images/format/minisign.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { copyImages } from '#images/upkeep/copy.ts';
import { believeImage } from '#runtime/steps/open-job.ts';
import { formatGrubMenu } from './grub-menu.ts';
import { biosLoaderPath, efiSystemPartition, efiSystemPartitionPath, makeBiosLoader } from './loaders.ts';
import { listFile, type MediumFile } from './medium-files.ts';
import { isoUuidOf, writeIso } from './write-iso.ts';
import { fatUuidOf, writeUsbImage } from './write-usb-image.ts';

export interface MediumOrder {
  readonly station: string;
  readonly passport: HardwarePassport;
  /** Kernel and archives that the station would boot from the network, as files of the site. */
  readonly kernel: { readonly version: string; readonly file: string };
  readonly runtime: string;
  readonly driverPack: string;
  /** Words of the kernel command line. */
  readonly commandLine: readonly string[];
  readonly signingKey: SecretKey;
  /** The station's image that goes onto the medium, and the store that has it. */
  readonly image?: MediumImage;
  /** `.iso` or `.img`; nothing is left there when it cannot be finished. */
  readonly output: string;
  readonly builtAt: Date;
}

export interface MediumImage {
  readonly store: string;
  readonly name: ImageName;
  readonly publicKey: PublicKey;
  readonly onProgress?: (doneChunks: number, totalChunks: number) => void;
}

export interface BuiltMedium {
  readonly bytes: number;
  readonly fileSystemUuid: string;
  readonly files: number;
}

const kernelPath = 'boot/vmlinuz';
const runtimePath = 'boot/runtime.img';
const packPath = 'boot/driver-pack.img';
const ticketArchivePath = 'boot/ticket.img';

/**
 * Builds one medium that starts by BIOS and by UEFI (Secure Boot included: Debian's shim and signed GRUB): a hybrid
 * ISO image for a CD and, written as it is, for a USB stick; or an image for sticks that can be written (`.img`).
 */
export async function buildMedium(order: MediumOrder): Promise<BuiltMedium> {
  await mkdir(dirname(order.output), { recursive: true });
  const work = await mkdtemp(join(dirname(order.output), '.medium-'));
  try {
    const forUsb = mediumKindOf(order.output) === 'usb-image';
    const fileSystemUuid = forUsb ? fatUuidOf(order.builtAt) : isoUuidOf(order.builtAt);
    const files = [...(await stageFiles(order, work)), ...(forUsb ? [] : await stageIsoLoaders(work))];
    const image = order.image === undefined ? undefined : await stageImage(order.image, work);
    // Not the BIOS loader: xorriso writes into it where on the medium it lies.
    const listed = await Promise.all(files.filter(({ path }) => path !== biosLoaderPath).map(listFile));
    const ticket = Buffer.from(
      `${JSON.stringify(
        stationTicketSchema.parse({
          formatVersion: 1,
          station: order.station,
          passport: order.passport,
          builtAt: order.builtAt.toISOString(),
          kernel: order.kernel.version,
          fileSystemUuid,
          ...(image === undefined ? {} : { image: image.listed }),
          files: listed,
        }),
        null,
        1,
      )}\n`,
    );
    const signature = signBytes(ticket, order.signingKey, `rekindle station ticket ${order.station}`);
    const ticketFiles = await stageTicket(work, ticket, Buffer.from(signature));

    const written = join(work, 'medium');
    const content = {
      station: order.station,
      fileSystemUuid,
      files: [...files, ...ticketFiles, ...(image?.folders ?? [])],
    };
    await (forUsb ? writeUsbImage(written, content) : writeIso(written, content));
    await syncFile(written);
    await rename(written, order.output);
    return { bytes: (await stat(order.output)).size, fileSystemUuid, files: listed.length };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function stageFiles(order: MediumOrder, work: string): Promise<MediumFile[]> {
  const menu = formatGrubMenu({
    station: order.station,
    kernel: `/${kernelPath}`,
    initrds: [runtimePath, packPath, ticketArchivePath].map((path) => `/${path}`),
    commandLine: order.commandLine,
    ...(order.image === undefined ? {} : { image: formatImageRef(order.image.name) }),
  });
  const made: Record<string, Buffer> = {
    'boot/grub/grub.cfg': Buffer.from(menu),
    // Debian's signed GRUB for media looks for this file to know what it was started from.
    '.disk/info': Buffer.from(`Rekindle recovery medium of ${order.station}\n`),
  };
  return [
    { path: kernelPath, source: order.kernel.file },
    { path: runtimePath, source: order.runtime },
    { path: packPath, source: order.driverPack },
    ...(await Promise.all(Object.entries(made).map(([path, bytes]) => stage(work, path, bytes)))),
  ];
}

async function stageIsoLoaders(work: string): Promise<MediumFile[]> {
  return [
    await stage(work, efiSystemPartitionPath, await efiSystemPartition(work)),
    await stage(work, biosLoaderPath, await makeBiosLoader(work)),
  ];
}

/** A store of its own, each chunk proven right on the way; the runtime will refuse what is refused here. */
async function stageImage(
  { store, name, publicKey, onProgress }: MediumImage,
  work: string,
): Promise<{ readonly listed: StationTicket['image']; readonly folders: MediumFile[] }> {
  const copy = join(work, 'store');
  await mkdir(copy);
  await copyImages({
    from: store,
    to: copy,
    publicKey,
    names: [name],
    ...(onProgress === undefined
      ? {}
      : { onProgress: (_: ImageName, done, total) => onProgress(done, total) }),
  });
  const { manifestBytes, signature, manifestSha256 } = await readManifest(copy, name, publicKey);
  await believeImage({
    ref: formatImageRef(name),
    manifestBytes,
    signature,
    key: publicKey,
    readListed: (manifest, file) => readListedFile(copy, name, manifest, file),
    source: { kind: 'directory', path: copy },
  });
  return {
    listed: { ref: formatImageRef(name), manifestSha256 },
    folders: ['images', 'chunks.castr'].map((folder) => ({
      path: `${mediumStore}/${folder}`,
      source: join(copy, folder),
    })),
  };
}

/** @throws RekindleError `usage` */
export function mediumKindOf(output: string): 'iso' | 'usb-image' {
  if (output.endsWith('.iso')) return 'iso';
  if (output.endsWith('.img')) return 'usb-image';
  throw new RekindleError('usage', `Building a recovery medium: what ${output} is to be is not clear`, {
    next: 'Name it FILE.iso (CD, or stick that is never written) or FILE.img (stick that keeps reports).',
  });
}

async function stageTicket(work: string, ticket: Buffer, signature: Buffer): Promise<MediumFile[]> {
  const archive = formatCpio([
    { kind: 'file', path: ticketInitramfsFile, mode: 0o644, bytes: ticket },
    { kind: 'file', path: `${ticketInitramfsFile}.minisig`, mode: 0o644, bytes: signature },
  ]);
  return Promise.all([
    stage(work, ticketFile, ticket),
    stage(work, `${ticketFile}.minisig`, signature),
    stage(work, ticketArchivePath, archive),
  ]);
}

async function stage(work: string, path: string, bytes: Buffer): Promise<MediumFile> {
  const source = join(work, path.replaceAll('/', '_'));
  await writeFile(source, bytes);
  return { path, source };
}

async function syncFile(path: string): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.sync();
}
