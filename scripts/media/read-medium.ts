import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { errorChain, RekindleError } from '#base/errors.ts';
import {
  mediumStore,
  type StationTicket,
  stationTicketSchema,
  ticketFile,
} from '#contract/station-ticket.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { type PublicKey, verifySignature } from '#images/format/minisign.ts';
import { readManifest } from '#images/stores/image-folder.ts';
import { verifyImages } from '#images/upkeep/verify.ts';
import { at, extractFromFat } from './fat-partition.ts';
import { findInstalledRecovery, type InstalledRecovery } from './installed-recovery.ts';
import type { Loader } from './judge-loaders.ts';
import { efiSystemPartitionPath, ownDiskLoaders } from './loaders.ts';
import { listFile } from './medium-files.ts';
import { readLoaders } from './read-loaders.ts';
import { extractIso } from './write-iso.ts';
import { efiPartitionOf, extractUsbImage, findDataPartition } from './write-usb-image.ts';

export interface ReadMedium {
  readonly ticket: StationTicket;
  /** Files that are missing or not what the signed ticket lists. */
  readonly damaged: readonly string[];
  /** What a UEFI firmware would start from it. */
  readonly loaders: readonly Loader[];
  readonly image?: MediumImageState;
  /** It is in a partition of the station's own disk. */
  readonly installed?: boolean;
}

/** The image on the medium, read to the last chunk. */
export interface MediumImageState {
  readonly ref: string;
  readonly problems: readonly string[];
}

/**
 * Reads a medium without mounting it: an ISO file, the device of a stick, or a recovery that was installed into a
 * partition of the station's own disk (the partition, the disk, or a file of either).
 * @throws RekindleError `verification-failed`: no recovery medium, or not signed by this site
 */
export async function readMedium(file: string, signer: PublicKey): Promise<ReadMedium> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-medium-'));
  try {
    const installed = await findInstalledRecovery(file);
    if (installed !== undefined) return await readInstalled(file, installed, folder, signer);
    const data = findDataPartition(file);
    await (data === undefined ? extractIso(file, folder) : extractUsbImage(file, data, folder));
    const { image, ...content } = await checkContent(file, folder, signer);
    const loaders = await readLoaders(
      data === undefined ? join(folder, efiSystemPartitionPath) : efiPartitionOf(file),
    );
    return { ...content, loaders, ...(image === undefined ? {} : { image }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readInstalled(
  file: string,
  installed: InstalledRecovery,
  folder: string,
  signer: PublicKey,
): Promise<ReadMedium> {
  const signed = [ticketFile, `${ticketFile}.minisig`];
  await extractFromFat(installed, signed, folder);
  const { files } = parseTicket(file, await readFile(join(folder, ticketFile)));
  // What is missing is named by the check below.
  const listed = files.map(({ path }) => path).filter((path) => installed.paths.includes(path));
  const store = installed.paths.includes(`${mediumStore}/`) ? [mediumStore] : [];
  await extractFromFat(installed, [...listed, ...store], folder);
  const { image, ...content } = await checkContent(file, folder, signer);
  const loaders = ownDiskLoaders.map(({ path }) => path).filter((path) => installed.paths.includes(path));
  const { fileSystemUuid } = content.ticket;
  const number = `the number of its file system (${installed.fileSystemUuid} instead of ${fileSystemUuid})`;
  return {
    ticket: content.ticket,
    // The boot menu and the runtime find it by that number.
    damaged: [...content.damaged, ...(installed.fileSystemUuid === fileSystemUuid ? [] : [number])],
    loaders: await readLoaders(at(installed), loaders),
    installed: true,
    ...(image === undefined ? {} : { image }),
  };
}

/**
 * Ticket, files and image of a medium whose content is in a folder.
 * @param file what to call the medium
 * @throws RekindleError `verification-failed`
 */
export async function checkContent(
  file: string,
  folder: string,
  signer: PublicKey,
): Promise<Omit<ReadMedium, 'loaders'>> {
  const bytes = await readFile(join(folder, ticketFile)).catch((cause: unknown) => refuse(file, cause));
  const signature = await readFile(join(folder, `${ticketFile}.minisig`), 'utf8').catch((cause: unknown) =>
    refuse(file, cause),
  );
  verifySignature(bytes, signature, signer, `the station ticket in ${file}`);
  const ticket = parseTicket(file, bytes);
  const damaged: string[] = [];
  for (const { path, sha256 } of ticket.files) {
    const found = await listFile({ path, source: join(folder, path) }).catch(() => undefined);
    if (found?.sha256 !== sha256) damaged.push(path);
  }
  const image = await verifyImage(folder, ticket, signer);
  return { ticket, damaged, ...(image === undefined ? {} : { image }) };
}

async function verifyImage(
  folder: string,
  { image }: StationTicket,
  publicKey: PublicKey,
): Promise<MediumImageState | undefined> {
  if (image === undefined) return undefined;
  const store = join(folder, mediumStore);
  const { station, utc } = parseImageRef(image.ref);
  try {
    const { manifestSha256 } = await readManifest(store, { station, utc }, publicKey);
    const { images } = await verifyImages({ store, publicKey, names: [{ station, utc }] });
    const other =
      manifestSha256 === image.manifestSha256 ? [] : ['its manifest is not the one of the ticket'];
    return { ref: image.ref, problems: [...other, ...images.flatMap(({ problems }) => problems)] };
  } catch (error) {
    return { ref: image.ref, problems: errorChain(error) };
  }
}

function parseTicket(file: string, bytes: Buffer): StationTicket {
  try {
    return stationTicketSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    return refuse(file, cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause);
  }
}

function refuse(file: string, cause: unknown): never {
  throw new RekindleError(
    'verification-failed',
    `Reading ${file}: it is no recovery medium of this version`,
    {
      cause,
      next: 'Build one: rekindle media build STATION --output FILE.iso',
    },
  );
}
