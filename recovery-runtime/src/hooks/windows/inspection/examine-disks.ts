import { errorChain } from '#base/errors.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { type NtfsCondition, readNtfsCondition } from '#images/capture/ntfs/ntfs-state.ts';
import { parseGptCopy } from '#images/format/partition-table/gpt.ts';
import { type Partition, parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { withPieces } from '../../../restore/held-back.ts';
import { type BootStore, readBootStore } from '../boot/boot-store.ts';
import { fatFiles } from '../boot/fat-files.ts';
import { hiveInBootPartition, hiveOnVolume } from '../registry/hive-locations.ts';
import { openHive } from '../registry/open-hive.ts';
import { findPath } from '../volume/find-path.ts';
import { mountWindowsVolume } from '../volume/mount-windows-volume.ts';
import { parseVolumeBootSector, type VolumeBootSector } from '../volume/ntfs-boot-sector.ts';
import { attachPartition, type DiskPath, partitionReader } from '../volume/partition-device.ts';
import type { BootStoreEvidence, DiskEvidence, Evidence, VolumeEvidence } from './evidence.ts';
import { examineHive } from './examine-hive.ts';
import { examineInstallation } from './examine-installation.ts';

const efiSystemPartition = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const efiOnMbr = 'EF';
/** Boot files by where firmware and boot sectors look for them. */
const onEfi = { store: '\\EFI\\Microsoft\\Boot\\BCD', manager: '\\EFI\\Microsoft\\Boot\\bootmgfw.efi' };
const onBios = { store: '\\Boot\\BCD', manager: '\\bootmgr' };

/**
 * Looks at whole disks as they lie there: tables, boot partitions, Windows installations. Nothing is written; what
 * cannot be looked at is part of the evidence, not an error.
 */
export async function examineDisks(disks: readonly DiskPath[], sectorBytes?: number): Promise<Evidence> {
  await using stack = new AsyncDisposableStack();
  const opened: { readonly head: Omit<DiskEvidence, 'volumes'>; readonly volumes: OpenVolume[] }[] = [];
  for (const disk of disks) {
    const head = examineTable(disk, sectorBytes);
    const volumes: OpenVolume[] = [];
    for (const partition of head.table.partitions) volumes.push(await openVolume(stack, disk, partition));
    opened.push({ head, volumes });
  }
  // Which loaders to look for is known when every boot store was read.
  const stores = opened.flatMap(({ volumes }) =>
    volumes.flatMap(({ bootStore }) => (bootStore?.store == null ? [] : [bootStore.store])),
  );
  return {
    disks: await Promise.all(
      opened.map(async ({ head, volumes }) => ({
        ...head,
        volumes: await Promise.all(volumes.map((volume) => finishVolume(volume, stores))),
      })),
    ),
  };
}

function examineTable(disk: DiskPath, sectorBytes: number | undefined): Omit<DiskEvidence, 'volumes'> {
  const opened = openDisk(disk.path, sectorBytes === undefined ? {} : { sectorBytes });
  const handle = withPieces(opened, disk.missing ?? []);
  try {
    const table = parsePartitionTable(handle);
    const lastLba = Math.floor(handle.sizeBytes / handle.sectorBytes) - 1;
    const gpt =
      table.kind === 'gpt'
        ? { primary: parseGptCopy(handle, 1), backup: parseGptCopy(handle, lastLba) }
        : null;
    return { disk, sizeBytes: handle.sizeBytes, sectorBytes: handle.sectorBytes, table, gpt };
  } finally {
    opened.close();
  }
}

interface OpenVolume extends Omit<VolumeEvidence, 'installation'> {
  /** Where an NTFS volume is mounted; null where it is not. */
  readonly root: string | null;
}

async function openVolume(
  stack: AsyncDisposableStack,
  disk: DiskPath,
  partition: Partition,
): Promise<OpenVolume> {
  const closed = { partition, bootStore: null, root: null, condition: null };
  let bootSector: VolumeBootSector = { kind: 'other' };
  let condition: VolumeEvidence['condition'] = null;
  try {
    const { node } = stack.use(await attachPartition(disk, partition, 'read'));
    {
      using reader = partitionReader(node);
      bootSector = parseVolumeBootSector(reader.read(0, 512));
      if (bootSector.kind === 'ntfs') condition = ntfsCondition(reader.read, partition.sizeBytes);
    }
    if (bootSector.kind === 'ntfs') {
      const { root } = stack.use(await mountWindowsVolume(disk, partition, 'read'));
      const bootStore = await examineBiosStore(root);
      return { partition, bootSector, condition, notOpened: null, bootStore, root };
    }
    const isBootPartition = [efiSystemPartition, efiOnMbr].includes(partition.partitionType);
    const bootStore = isBootPartition ? await examineEfiStore(node) : null;
    return { ...closed, bootSector, notOpened: null, bootStore };
  } catch (error) {
    return { ...closed, bootSector, condition, notOpened: errorChain(error).join(': ') };
  }
}

function ntfsCondition(
  read: (offset: number, length: number) => Buffer,
  sizeBytes: number,
): NtfsCondition | { readonly unreadable: string } {
  try {
    return readNtfsCondition(read, sizeBytes);
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
}

async function finishVolume(
  { root, ...volume }: OpenVolume,
  stores: readonly BootStore[],
): Promise<VolumeEvidence> {
  if (root === null) return { ...volume, installation: null };
  try {
    return { ...volume, installation: await examineInstallation(root, stores) };
  } catch (error) {
    return { ...volume, installation: null, notOpened: errorChain(error).join(': ') };
  }
}

async function examineEfiStore(node: string): Promise<BootStoreEvidence | null> {
  const files = fatFiles(node);
  const present = (await files.read(onEfi.manager)) !== null;
  const bootManager = { path: onEfi.manager, present };
  if ((await files.read(onEfi.store)) === null)
    return present ? { path: onEfi.store, hive: { kind: 'absent' }, store: null, bootManager } : null;
  const examined = await examineHive(hiveInBootPartition(files, onEfi.store));
  return { path: onEfi.store, ...examined, store: openStore(examined.bytes), bootManager };
}

async function examineBiosStore(root: string): Promise<BootStoreEvidence | null> {
  const found = findPath(root, onBios.store);
  if (found.kind !== 'found') return null;
  const bootManager = { path: onBios.manager, present: findPath(root, onBios.manager).kind === 'found' };
  const examined = await examineHive(hiveOnVolume(found.path));
  return { path: onBios.store, ...examined, store: openStore(examined.bytes), bootManager };
}

function openStore(bytes: Buffer | null): BootStore | null {
  if (bytes === null) return null;
  using hive = openHive(bytes, 'BCD');
  return readBootStore(hive);
}
