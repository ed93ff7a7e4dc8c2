import fs from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { readFully } from '../block-device/disk-handle.ts';
import { type CapturedImage, type CaptureImageOptions, captureImage } from '../capture/capture-image.ts';
import { nameImageOf } from '../stores/next-image.ts';
import { type ChosenDisk, choosePassportDisks } from './choose-passport-disk.ts';
import { assertUnchanged, type VirtualDisk } from './inspect-virtual-disk.ts';
import { openVirtualDisk } from './open-virtual-disk.ts';
import { qemuImg, vhdimount } from './qemu-tools.ts';
import { qemuSectorBytes } from './virtual-disk-facts.ts';

export interface ImportImageOptions
  extends Omit<CaptureImageOptions, 'disks' | 'openSources' | 'tools' | 'capturedAt'> {
  /** One for each disk of the station, inspected. */
  readonly sources: readonly VirtualDisk[];
  /** Slots of the passport's disks, in the order of the files; none where they are found without. */
  readonly slots: readonly string[];
  /** Files may be larger or smaller than the station's disks. */
  readonly acceptSize?: boolean;
  readonly tools?: CaptureImageOptions['tools'];
  /** When the content was as it is; else when the newest file was written last. */
  readonly capturedAt?: Date;
}

/**
 * Virtual disk files become an image like any other, through the same capture: used blocks only, chunks,
 * manifest, signature, verified from the store. The files are read where they are, without a copy.
 * @throws RekindleError `target-unfit` (a file does not fit the passport), `usage` (a newer image is there), and
 * as `captureImage`
 */
export async function importImage(options: ImportImageOptions): Promise<CapturedImage> {
  const { chosen, warnings } = choosePassportDisks(
    options.sources,
    { slots: options.slots, acceptSize: options.acceptSize ?? false },
    options.passport,
  );
  const writtenAt = Math.max(...options.sources.map((source) => source.writtenAt.getTime()));
  const capturedAt = options.capturedAt ?? new Date(writtenAt);
  // Before hours of reading; named once more when all is read.
  await nameImageOf(options.store, options.station, capturedAt);
  await using stack = new AsyncDisposableStack();
  const disks: { path: string; passportDisk: ChosenDisk['passportDisk'] }[] = [];
  for (const { source, passportDisk } of chosen) {
    const { file } = stack.use(await openVirtualDisk(source));
    assertSectorSize(source.path, file, passportDisk.logicalSectorBytes);
    disks.push({ path: file, passportDisk });
  }
  const image = await captureImage({
    ...options,
    disks,
    capturedAt,
    openSources: async () => ({
      paths: disks.map(({ path }) => path),
      async assertWhole(cause) {
        for (const source of options.sources) assertUnchanged(source, cause);
      },
      async [Symbol.asyncDispose]() {},
    }),
    tools: {
      ...options.tools,
      'qemu-img': await readQemuVersion(),
      ...(await vhdimountVersion(options.sources)),
    },
  });
  return { ...image, warnings: [...warnings, ...image.warnings] };
}

/** Where it was needed. */
async function vhdimountVersion(sources: readonly VirtualDisk[]): Promise<Record<string, string>> {
  if (sources.every(({ sectorBytes = qemuSectorBytes }) => sectorBytes === qemuSectorBytes)) return {};
  const said = await runTool('Asking vhdimount for its version', vhdimount, ['-V']);
  return { vhdimount: /vhdimount (\S+)/.exec(said)?.[1] ?? 'unknown' };
}

const sectorSizes = [512, 4096];

/** A GPT says by its place how large the sectors were that it was made for (UEFI 2.10, 5.3.2: it is in LBA 1). */
function assertSectorSize(name: string, file: string, expected: number): void {
  const fd = fs.openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(8192, Math.floor(fs.fstatSync(fd).size / 512) * 512));
    readFully(fd, bytes, 0);
    const found = sectorSizes.filter((size) => bytes.toString('latin1', size, size + 8) === 'EFI PART');
    if (found.length === 0 || found.includes(expected)) return;
    throw new RekindleError(
      'target-unfit',
      `Importing ${name}: its partition table is for sectors of ${found[0]} bytes, those of the station's disk have ${expected}`,
      { next: 'Check that the file and --disk-slot belong together.' },
    );
  } finally {
    fs.closeSync(fd);
  }
}

export async function readQemuVersion(): Promise<string> {
  const said = await runTool('Asking qemu-img for its version', qemuImg, ['--version']);
  return /version (\S+)/.exec(said)?.[1] ?? 'unknown';
}
