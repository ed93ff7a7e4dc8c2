import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import { linuxCandidates, mountLinuxRoot, reasonOf } from './linux/mount-root.ts';
import type { RestoredSystem } from './restored-system.ts';
import { openRestoredWindows } from './windows/restored-windows.ts';
import type { DiskPath } from './windows/volume/partition-device.ts';

export interface RestoredDisk extends DiskPath {
  readonly image: ImageDisk;
}

export interface OpenSystem extends AsyncDisposable {
  readonly system: RestoredSystem;
}

/** Finds the operating system on the restored disks and mounts it; what cannot be mounted is said, not thrown. */
export async function openRestoredSystem(disks: readonly RestoredDisk[]): Promise<OpenSystem> {
  const reasons: string[] = [];
  const windows = disks.some(({ image }) => image.volumes.some(isOfWindows))
    ? await openRestoredWindows(disks)
    : ({ kind: 'none' } as const);
  if (windows.kind === 'open') return windows;
  if (windows.kind === 'refused') reasons.push(windows.reason);
  for (const { image, ...disk } of disks) {
    for (const volume of linuxCandidates(image.volumes)) {
      try {
        const mounted = await mountLinuxRoot(disk, volume);
        if (mounted === undefined) continue;
        return {
          system: { kind: 'linux', root: mounted.root },
          [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose](),
        };
      } catch (error) {
        reasons.push(reasonOf(error));
      }
    }
  }
  const reason = reasons.length === 0 ? 'no volume holds a system that hooks know' : reasons.join('; ');
  return { system: { kind: 'unknown', reason }, async [Symbol.asyncDispose]() {} };
}

function isOfWindows({ role, fileSystem }: Volume): boolean {
  return role === 'system' && (fileSystem === 'ntfs' || fileSystem === 'BitLocker');
}
