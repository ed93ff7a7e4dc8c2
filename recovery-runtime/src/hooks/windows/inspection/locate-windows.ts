import type { BootLoader } from '../boot/boot-store.ts';
import type { BootDevice } from '../boot/device-element.ts';
import type {
  BootStoreEvidence,
  DiskEvidence,
  Evidence,
  InstallationEvidence,
  VolumeEvidence,
} from './evidence.ts';

export interface PlacedVolume {
  readonly disk: DiskEvidence;
  readonly volume: VolumeEvidence;
}

/** The Windows that starts when nobody chooses, and what starts it. */
export type LocatedWindows =
  | {
      readonly kind: 'found';
      readonly boot: (PlacedVolume & { readonly bootStore: BootStoreEvidence }) | null;
      readonly loader: BootLoader | null;
      readonly windows: PlacedVolume & { readonly installation: InstallationEvidence };
    }
  | { readonly kind: 'not-found'; readonly why: string };

/**
 * By the boot store's default loader; without one, the only installation there is. Two installations and no loader
 * that says which one counts are not chosen from. Pure.
 */
export function locateWindows(evidence: Evidence): LocatedWindows {
  const volumes = placedVolumes(evidence);
  const installed = volumes.flatMap(({ disk, volume }) =>
    volume.installation === null ? [] : [{ disk, volume, installation: volume.installation }],
  );
  const boots = volumes.flatMap(({ disk, volume }) =>
    volume.bootStore === null ? [] : [{ disk, volume, bootStore: volume.bootStore }],
  );
  for (const boot of boots) {
    const loader = defaultLoader(boot.bootStore);
    if (loader === null) continue;
    const windows = installed.find(({ disk, volume }) => isDevice(loader.osDevice, { disk, volume }));
    if (windows !== undefined) return { kind: 'found', boot, loader, windows };
  }
  const [only, ...others] = installed;
  if (only === undefined) return { kind: 'not-found', why: whyNone(volumes) };
  if (others.length > 0)
    return {
      kind: 'not-found',
      why: `there are ${installed.length} Windows installations, and no boot loader says which one starts`,
    };
  const [boot] = boots;
  return {
    kind: 'found',
    boot: boot ?? null,
    loader: boot === undefined ? null : defaultLoader(boot.bootStore),
    windows: only,
  };
}

export function placedVolumes({ disks }: Evidence): PlacedVolume[] {
  return disks.flatMap((disk) => disk.volumes.map((volume) => ({ disk, volume })));
}

export function defaultLoader({ store }: BootStoreEvidence): BootLoader | null {
  return store?.loaders.find(({ identifier }) => identifier === store.defaultLoader) ?? null;
}

/** Whether a device element points at this partition. */
export function isDevice(device: BootDevice | null, { disk, volume }: PlacedVolume): boolean {
  const { table } = disk;
  switch (device?.kind) {
    case 'gpt':
      return (
        table.kind === 'gpt' &&
        table.diskGuid === device.diskGuid &&
        volume.partition.partitionGuid === device.partitionGuid
      );
    case 'mbr':
      return (
        table.kind === 'mbr' &&
        table.diskSignature === device.diskSignature &&
        volume.partition.startByte === device.startByte
      );
    default:
      return false;
  }
}

function whyNone(volumes: readonly PlacedVolume[]): string {
  const encrypted = volumes.find(({ volume }) => volume.bootSector.kind === 'bitlocker');
  if (encrypted !== undefined)
    return `partition ${encrypted.volume.partition.number} is encrypted with BitLocker, and no other one holds a Windows`;
  const closed = volumes.find(({ volume }) => volume.notOpened !== null);
  if (closed !== undefined)
    return `partition ${closed.volume.partition.number} could not be opened: ${closed.volume.notOpened}`;
  return 'no volume holds a Windows';
}
