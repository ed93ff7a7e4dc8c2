import path from 'node:path';
import { errorChain, RekindleError } from '#base/errors.ts';
import { isMounted, mountNbdAsFile } from './fuse-file.ts';
import { type MountedVolume, mountVolume, prepareMountPoint, unmountVolume } from './mount-volume.ts';
import { planMounts } from './plan-mounts.ts';
import { type FoundDisk, serveImageDisk, temporaryFolder } from './serve-image-disk.ts';

export interface MountOptions {
  readonly from: FoundDisk;
  readonly folder: string;
  /** All volumes, in folders of their own, when absent. */
  readonly volume?: number;
  readonly onUnreadable?: (error: unknown) => void;
}

/** Volumes of an image as folders, read-only, while this object lives. */
export interface MountedImage {
  readonly volumes: readonly MountedVolume[];
  /** Volumes that give no files, a sentence each. */
  readonly skipped: readonly string[];
  /** Resolves when all of them were unmounted by somebody else, or cannot be read any more. */
  readonly ended: Promise<void>;
  /** @param force when aborted, folders in use go away under their users */
  unmount(force: AbortSignal, onBusy?: (folder: string, reason: string) => void): Promise<void>;
}

/**
 * Our NBD server -> nbdfuse -> loop device -> file system. The file and the loop devices are held by the
 * mounts alone: unmounting the folders, by whomever, takes all of it down, also when this process was killed.
 */
export async function mountImage({
  from,
  folder,
  volume,
  onUnreadable,
}: MountOptions): Promise<MountedImage> {
  if (process.getuid?.() !== 0)
    throw new RekindleError('usage', `Mounting at ${folder}: only root may mount`, {
      next: 'Run this as root, or use --nbd and a tool that needs no mount (guestfish, QEMU).',
    });
  const root = path.resolve(folder);
  const plan = planMounts(from.disk, root, volume);
  await using stack = new AsyncDisposableStack();
  stack.use(prepareMountPoint(root));
  const server = stack.use(await serveImageDisk(from, onUnreadable === undefined ? {} : { onUnreadable }));
  const work = stack.use(temporaryFolder());
  const disk = stack.use(await mountNbdAsFile(server.uri, work.path));
  const volumes: MountedVolume[] = [];
  const unmountAll = async (force: AbortSignal, onBusy: MountBusy = () => {}): Promise<void> => {
    for (const mounted of volumes.toReversed()) await unmountVolume(mounted.folder, force, onBusy);
  };
  const skipped = [...plan.skipped];
  let failed: unknown;
  for (const planned of plan.mounts) {
    if (planned.folder !== root) stack.use(prepareMountPoint(planned.folder));
    try {
      volumes.push(await mountVolume(disk.file, planned, from.disk.logicalSectorBytes));
    } catch (error) {
      // Among several, one that fails does not take the others with it.
      failed ??= error;
      skipped.push(errorChain(error).join(': '));
    }
  }
  if (volumes.length === 0) throw failed;
  await disk.hide();
  const resources = stack.move();
  return {
    volumes,
    skipped,
    ended: disk.ended,
    async unmount(force, onBusy) {
      await unmountAll(force, onBusy);
      await resources.disposeAsync();
    },
  };
}

type MountBusy = (folder: string, reason: string) => void;

/** Folders of these volumes that are still mounted: who unmounted the rest did not unmount these. */
export const stillMounted = (volumes: readonly MountedVolume[]): string[] =>
  volumes.map(({ folder }) => folder).filter(isMounted);
