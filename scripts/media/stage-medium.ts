import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
import { assertNoControllerHookNeeded } from '#runtime/steps/assert-roles.ts';
import { believeImage } from '#runtime/steps/open-job.ts';
import { formatGrubMenu } from './grub-menu.ts';
import { biosLoaderPath } from './loaders.ts';
import { type ListedFile, listFile, type MediumFile } from './medium-files.ts';

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
  readonly builtAt: Date;
}

export interface MediumImage {
  readonly store: string;
  readonly name: ImageName;
  readonly publicKey: PublicKey;
  readonly onProgress?: (doneChunks: number, totalChunks: number) => void;
}

export interface StagedMedium {
  /** What the ticket lists, loaders among them. */
  readonly files: readonly MediumFile[];
  /** The same with sizes and hashes. */
  readonly listed: readonly ListedFile[];
  readonly ticket: readonly MediumFile[];
  /** Folders of the image store; none without an image. */
  readonly image: readonly MediumFile[];
}

export interface MediumForm {
  readonly fileSystemUuid: string;
  /** Boot loaders that lie on it as files. */
  readonly loaders: readonly MediumFile[];
  /** It is a partition of the station's own disk. */
  readonly onOwnDisk?: boolean;
}

const kernelPath = 'boot/vmlinuz';
const runtimePath = 'boot/runtime.img';
const packPath = 'boot/driver-pack.img';
const ticketArchivePath = 'boot/ticket.img';

/** Everything that goes onto a medium of whatever form, as files in `work`; the ticket names what it is for. */
export async function stageMedium(order: MediumOrder, work: string, form: MediumForm): Promise<StagedMedium> {
  const files = [...(await stageFiles(order, work, form)), ...form.loaders];
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
        fileSystemUuid: form.fileSystemUuid,
        ...(form.onOwnDisk === true ? { onOwnDisk: true } : {}),
        ...(image === undefined ? {} : { image: image.listed }),
        files: listed,
      }),
      null,
      1,
    )}\n`,
  );
  const signature = signBytes(ticket, order.signingKey, `rekindle station ticket ${order.station}`);
  return {
    files,
    listed,
    ticket: await stageTicket(work, ticket, Buffer.from(signature)),
    image: image?.folders ?? [],
  };
}

async function stageFiles(
  order: MediumOrder,
  work: string,
  { onOwnDisk = false }: MediumForm,
): Promise<MediumFile[]> {
  const menu = formatGrubMenu({
    station: order.station,
    kernel: `/${kernelPath}`,
    initrds: [runtimePath, packPath, ticketArchivePath].map((path) => `/${path}`),
    commandLine: order.commandLine,
    onOwnDisk,
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
    ...(await Promise.all(Object.entries(made).map(([path, bytes]) => stageFile(work, path, bytes)))),
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
  const { manifest: believed } = await believeImage({
    ref: formatImageRef(name),
    manifestBytes,
    signature,
    key: publicKey,
    readListed: (manifest, file) => readListedFile(copy, name, manifest, file),
    source: { kind: 'directory', path: copy },
  });
  // Here already: on the worst day it would be refused.
  assertNoControllerHookNeeded(believed);
  return {
    listed: { ref: formatImageRef(name), manifestSha256 },
    folders: ['images', 'chunks.castr'].map((folder) => ({
      path: `${mediumStore}/${folder}`,
      source: join(copy, folder),
    })),
  };
}

async function stageTicket(work: string, ticket: Buffer, signature: Buffer): Promise<MediumFile[]> {
  const archive = formatCpio([
    { kind: 'file', path: ticketInitramfsFile, mode: 0o644, bytes: ticket },
    { kind: 'file', path: `${ticketInitramfsFile}.minisig`, mode: 0o644, bytes: signature },
  ]);
  return Promise.all([
    stageFile(work, ticketFile, ticket),
    stageFile(work, `${ticketFile}.minisig`, signature),
    stageFile(work, ticketArchivePath, archive),
  ]);
}

export async function stageFile(work: string, path: string, bytes: Buffer): Promise<MediumFile> {
  const source = join(work, path.replaceAll('/', '_'));
  await writeFile(source, bytes);
  return { path, source };
}
