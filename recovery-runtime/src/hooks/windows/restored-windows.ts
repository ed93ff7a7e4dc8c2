import fs from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import type { WindowsSystem } from '../restored-system.ts';
import { fatFiles } from './boot/fat-files.ts';
import type { ExpectedWindows } from './inspection/check-windows.ts';
import { examineDisks } from './inspection/examine-disks.ts';
import type { Inspection } from './inspection/inspect-windows.ts';
import { hasWindows, inspectWindows } from './inspection/inspect-windows.ts';
import { locateDrive } from './inspection/locate-drive.ts';
import {
  type LocatedWindows,
  locateWindows,
  type PlacedVolume,
  placedVolumes,
} from './inspection/locate-windows.ts';
import { currentControlSet, readMountedDevice } from './inspection/windows-facts.ts';
import { hiveInBootPartition, hiveOnVolume } from './registry/hive-locations.ts';
import { type Hive, openHive } from './registry/open-hive.ts';
import {
  changeStoredHive,
  missingInStoredHive,
  readStoredHive,
  type StoredHive,
} from './registry/stored-hive.ts';
import { requirePath } from './volume/find-path.ts';
import { type MountedVolume, mountWindowsVolume } from './volume/mount-windows-volume.ts';
import { attachPartition, type DiskPath } from './volume/partition-device.ts';

type Found = LocatedWindows & { kind: 'found' };

/** A Windows on disks that do not run, mounted for writing. */
export interface OpenWindows extends AsyncDisposable {
  readonly system: WindowsSystem;
}

export type OpenedWindows =
  | ({ readonly kind: 'open' } & OpenWindows)
  /** There is a Windows, but it must not be written to, or is not one thing. */
  | { readonly kind: 'refused'; readonly reason: string; readonly next?: string }
  | { readonly kind: 'none' };

/**
 * Finds the Windows that starts from these disks and mounts its volume for writing.
 * @throws RekindleError when a tool or library is missing
 */
export async function openRestoredWindows(disks: readonly DiskPath[]): Promise<OpenedWindows> {
  const evidence = await examineDisks(disks);
  if (!hasWindows(evidence)) return { kind: 'none' };
  const located = locateWindows(evidence);
  if (located.kind === 'not-found') return { kind: 'refused', reason: located.why };
  const { windows } = located;
  try {
    await using stack = new AsyncDisposableStack();
    const mounted = stack.use(await mountWindowsVolume(windows.disk.disk, windows.volume.partition, 'write'));
    const open = await openSystem(located, placedVolumes(evidence), mounted);
    // From here on it is unmounted by whoever has it.
    stack.move();
    return { kind: 'open', ...open };
  } catch (error) {
    if (!(error instanceof RekindleError) || error.code !== 'verification-failed') throw error;
    const { message, cause, next } = error;
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
    return { kind: 'refused', reason, ...(next === undefined ? {} : { next }) };
  }
}

/** What can be said of the Windows on these disks before they start; null when there is none. Writes nothing. */
export async function inspectRestoredDisks(
  disks: readonly DiskPath[],
  expected?: ExpectedWindows,
): Promise<Inspection | null> {
  const evidence = await examineDisks(disks);
  return hasWindows(evidence) ? inspectWindows(evidence, expected) : null;
}

async function openSystem(
  located: Found,
  volumes: readonly PlacedVolume[],
  first: MountedVolume,
): Promise<OpenWindows> {
  const { windows, loader } = located;
  const { installation } = windows;
  let mounted = first;
  const hiveFile = (name: string): StoredHive =>
    hiveOnVolume(requirePath(mounted.root, `${installation.systemRoot}\\System32\\config\\${name}`));
  const withStore = async <T>(use: (store: StoredHive) => Promise<T>): Promise<T> => {
    const { boot } = located;
    if (boot === null)
      throw new RekindleError('verification-failed', 'opening the boot store: there is none');
    const { disk, volume, bootStore } = boot;
    if (volume === windows.volume) return use(hiveOnVolume(requirePath(mounted.root, bootStore.path)));
    if (volume.bootSector.kind === 'ntfs') {
      await using other = await mountWindowsVolume(disk.disk, volume.partition, 'write');
      return await use(hiveOnVolume(requirePath(other.root, bootStore.path)));
    }
    await using device = await attachPartition(disk.disk, volume.partition, 'write');
    const done = await use(hiveInBootPartition(fatFiles(device.node), bootStore.path));
    flush(device.node);
    return done;
  };
  const controlSet = await readControlSet(hiveFile('SYSTEM'));
  return {
    system: {
      kind: 'windows',
      get root() {
        return mounted.root;
      },
      systemRoot: installation.systemRoot,
      controlSet,
      facts: installation.facts,
      remarks: first.remarks,
      readHive: (name, look) => lookInto(hiveFile(name), look),
      changeHive: async (name, patch) => changeStoredHive(hiveFile(name), patch),
      missingInHive: async (name, patch) => missingInStoredHive(hiveFile(name), patch),
      loader,
      changeBootStore: (patch) => withStore((store) => changeStoredHive(store, patch)),
      missingInBootStore: (patch) => withStore((store) => missingInStoredHive(store, patch)),
      async openDrive(letter) {
        const remembered = await lookInto(hiveFile('SYSTEM'), (hive) => readMountedDevice(hive, letter));
        const drive = locateDrive(letter, remembered, volumes);
        if (drive.kind === 'not-found')
          throw new RekindleError('verification-failed', `opening drive ${letter} of the restored Windows`, {
            cause: new Error(drive.why),
          });
        const { disk, volume } = drive.placed;
        if (volume === windows.volume)
          return { root: mounted.root, disk: disk.disk, async [Symbol.asyncDispose]() {} };
        const other = await mountWindowsVolume(disk.disk, volume.partition, 'write');
        return {
          root: other.root,
          disk: disk.disk,
          async [Symbol.asyncDispose]() {
            await other[Symbol.asyncDispose]();
            if (disk.disk.isBlockDevice) flush(disk.disk.path);
          },
        };
      },
      async remount() {
        await mounted[Symbol.asyncDispose]();
        mounted = await mountWindowsVolume(windows.disk.disk, windows.volume.partition, 'write');
      },
    },
    async [Symbol.asyncDispose]() {
      await mounted[Symbol.asyncDispose]();
      if (windows.disk.disk.isBlockDevice) flush(windows.disk.disk.path);
    },
  };
}

async function lookInto<T>(stored: StoredHive, look: (hive: Hive) => T): Promise<T> {
  using opened = openHive((await readStoredHive(stored)).hive, stored.name);
  return look(opened);
}

async function readControlSet(stored: StoredHive): Promise<string> {
  const controlSet = await lookInto(stored, currentControlSet);
  if (controlSet !== null) return controlSet;
  throw new RekindleError('verification-failed', 'reading which control set of the SYSTEM hive is in use', {
    cause: new Error('it names none that is there'),
    next: 'Choose another image of this station.',
  });
}

function flush(node: string): void {
  const fd = fs.openSync(node, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
