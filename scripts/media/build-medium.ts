import { mkdir, mkdtemp, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { stationTicketSchema, ticketFile, ticketInitramfsFile } from '#contract/station-ticket.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { type SecretKey, signBytes } from '#images/format/minisign.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { formatGrubMenu } from './grub-menu.ts';
import {
  biosLoaderPath,
  efiSystemPartition,
  efiSystemPartitionPath,
  hybridMbr,
  makeBiosLoader,
} from './loaders.ts';
import { listFile, type MediumFile } from './medium-files.ts';

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
  /** Path of the ISO image; nothing is left there when it cannot be finished. */
  readonly output: string;
  readonly builtAt: Date;
}

export interface BuiltMedium {
  readonly bytes: number;
  readonly fileSystemUuid: string;
  readonly files: number;
}

const xorriso = { command: 'xorriso', debianPackage: 'xorriso' };
const kernelPath = 'boot/vmlinuz';
const runtimePath = 'boot/runtime.img';
const packPath = 'boot/driver-pack.img';
const ticketArchivePath = 'boot/ticket.img';

/**
 * Builds one hybrid ISO image that starts by BIOS and by UEFI (Secure Boot included: Debian's shim and signed
 * GRUB), from a CD and, written as it is, from a USB stick.
 */
export async function buildMedium(order: MediumOrder): Promise<BuiltMedium> {
  await mkdir(dirname(order.output), { recursive: true });
  const work = await mkdtemp(join(dirname(order.output), '.medium-'));
  try {
    const fileSystemUuid = uuidOf(order.builtAt);
    const files = await stageFiles(order, work);
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
          files: listed,
        }),
        null,
        1,
      )}\n`,
    );
    const signature = signBytes(ticket, order.signingKey, `rekindle station ticket ${order.station}`);
    const ticketFiles = await stageTicket(work, ticket, Buffer.from(signature));

    const image = join(work, 'medium.iso');
    await writeIso(image, [...files, ...ticketFiles], order, fileSystemUuid);
    await syncFile(image);
    await rename(image, order.output);
    return { bytes: (await stat(order.output)).size, fileSystemUuid, files: listed.length };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** ISO 9660 counts hundredths of a second in its time of making, which Linux shows as the file system's UUID. */
function uuidOf(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[T:]/g, '-')}-00`;
}

async function stageFiles(order: MediumOrder, work: string): Promise<MediumFile[]> {
  const menu = formatGrubMenu({
    station: order.station,
    kernel: `/${kernelPath}`,
    initrds: [runtimePath, packPath, ticketArchivePath].map((path) => `/${path}`),
    commandLine: order.commandLine,
  });
  const made: Record<string, Buffer> = {
    'boot/grub/grub.cfg': Buffer.from(menu),
    // Debian's signed GRUB for media looks for this file to know what it was started from.
    '.disk/info': Buffer.from(`Rekindle recovery medium of ${order.station}\n`),
    [efiSystemPartitionPath]: await efiSystemPartition(work),
    [biosLoaderPath]: await makeBiosLoader(work),
  };
  return [
    { path: kernelPath, source: order.kernel.file },
    { path: runtimePath, source: order.runtime },
    { path: packPath, source: order.driverPack },
    ...(await Promise.all(Object.entries(made).map(([path, bytes]) => stage(work, path, bytes)))),
  ];
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

async function writeIso(
  image: string,
  files: readonly MediumFile[],
  { station }: MediumOrder,
  fileSystemUuid: string,
): Promise<void> {
  await runTool(`writing the recovery medium of ${station}`, xorriso, [
    '-as',
    'mkisofs',
    ...['-iso-level', '3', '-r', '-J', '-joliet-long', '-V', volumeId(station)],
    `--modification-date=${fileSystemUuid.replaceAll('-', '')}`,
    // BIOS: El Torito for CDs, a boot sector in front for sticks (GRUB's own hybrid scheme).
    ...['-b', biosLoaderPath, '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'],
    ...['--grub2-boot-info', '--grub2-mbr', hybridMbr],
    // UEFI: the same FAT image as El Torito entry and as a partition of the stick.
    ...['-eltorito-alt-boot', '-e', efiSystemPartitionPath, '-no-emul-boot', '-isohybrid-gpt-basdat'],
    ...['-o', image, '-graft-points'],
    ...files.map(({ path, source }) => `/${path}=${source}`),
  ]);
}

/** At most 32 of A to Z, 0 to 9 and underscore (ECMA-119, 7.4.1). */
function volumeId(station: string): string {
  return `REKINDLE_${station.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`.slice(0, 32);
}

async function syncFile(path: string): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.sync();
}
