import { sharePackEntries } from '#driver-packs/build-driver-pack.ts';
import { type CpioEntry, formatCpio } from '#driver-packs/cpio.ts';
import { compressInitrd } from '#driver-packs/initrd-file.ts';
import type { UnpackedKernel } from '#driver-packs/kernel-package.ts';
import type { ShareKind } from '#driver-packs/share-pack.ts';
import { programFiles, type RuntimeProgram } from './tool-files.ts';

/** NFS needs no program: the kernel takes its options as busybox mount hands them over. */
const programs: Readonly<Record<ShareKind, readonly RuntimeProgram[]>> = {
  smb: [['/usr/sbin/mount.cifs', 'cifs-utils']],
  nfs: [],
};

/** Mount programs with those libraries that the base of the runtime does not have. */
export function sharePrograms(kinds: readonly ShareKind[]): Promise<CpioEntry[]> {
  return programFiles(kinds.flatMap((kind) => programs[kind]));
}

/**
 * What mounts the site's share, as a compressed archive that is appended to the site's runtime: kernel modules
 * and mount program. A site without a share has none of it.
 */
export async function sharePart(kernel: UnpackedKernel, kinds: readonly ShareKind[]): Promise<Buffer> {
  const entries: CpioEntry[] = [...(await sharePackEntries(kernel, kinds)), ...(await sharePrograms(kinds))];
  return Buffer.from(await compressInitrd(formatCpio(entries), 19));
}
