import { mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { makeFolder } from '#base/make-folder.ts';
import { biosLoaderPath, efiSystemPartition, efiSystemPartitionPath, makeBiosLoader } from './loaders.ts';
import type { MediumFile } from './medium-files.ts';
import { type MediumOrder, stageFile, stageMedium } from './stage-medium.ts';
import { isoUuidOf, writeIso } from './write-iso.ts';
import { fatUuidOf, writeUsbImage } from './write-usb-image.ts';

export interface MediumFileOrder extends MediumOrder {
  /** `.iso` or `.img`; nothing is left there when it cannot be finished. */
  readonly output: string;
}

export interface BuiltMedium {
  readonly bytes: number;
  readonly fileSystemUuid: string;
  readonly files: number;
}

/**
 * Builds one medium that starts by BIOS and by UEFI (Secure Boot included: Debian's shim and signed GRUB): a hybrid
 * ISO image for a CD and, written as it is, for a USB stick; or an image for sticks that can be written (`.img`).
 */
export async function buildMedium(order: MediumFileOrder): Promise<BuiltMedium> {
  await makeFolder(dirname(order.output));
  const work = await mkdtemp(join(dirname(order.output), '.medium-'));
  try {
    const forUsb = mediumKindOf(order.output) === 'usb-image';
    const fileSystemUuid = forUsb ? fatUuidOf(order.builtAt) : isoUuidOf(order.builtAt);
    const staged = await stageMedium(order, work, {
      fileSystemUuid,
      loaders: forUsb ? [] : await stageIsoLoaders(work),
    });
    const written = join(work, 'medium');
    const content = {
      station: order.station,
      fileSystemUuid,
      files: [...staged.files, ...staged.ticket, ...staged.image],
    };
    await (forUsb ? writeUsbImage(written, content) : writeIso(written, content));
    await syncFile(written);
    await rename(written, order.output);
    return { bytes: (await stat(order.output)).size, fileSystemUuid, files: staged.listed.length };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function stageIsoLoaders(work: string): Promise<MediumFile[]> {
  return [
    await stageFile(work, efiSystemPartitionPath, await efiSystemPartition(work)),
    await stageFile(work, biosLoaderPath, await makeBiosLoader(work)),
  ];
}

/** @throws RekindleError `usage` */
export function mediumKindOf(output: string): 'iso' | 'usb-image' {
  if (output.endsWith('.iso')) return 'iso';
  if (output.endsWith('.img')) return 'usb-image';
  throw new RekindleError('usage', `Building a recovery medium: what ${output} is to be is not clear`, {
    next: 'Name it FILE.iso (CD, or stick that is never written) or FILE.img (stick that keeps reports).',
  });
}

async function syncFile(path: string): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.sync();
}
