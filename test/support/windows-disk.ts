import fs from 'node:fs';
import path from 'node:path';
import { type OpenedWindows, openRestoredWindows } from '#runtime/hooks/windows/restored-windows.ts';
import {
  fillNtfs,
  type StationFiles,
  stationDisk,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { makeTemporaryFolder, run } from './restore-demo-disk.ts';

type Place = (typeof stationDisk)['esp' | 'windows' | 'projects'];

/** A device that is one volume of a disk file, for writing. */
export function volumeDevice(disk: string, { startByte, sizeBytes }: Place): Disposable & { node: string } {
  const extent = ['--offset', String(startByte), '--sizelimit', String(sizeBytes)];
  const node = run('losetup', '--show', '--find', ...extent, disk).trim();
  return { node, [Symbol.dispose]: () => void run('losetup', '--detach', node) };
}

/** As the runtime opens it, for writing. */
export async function openWindowsDisk(disk: string): Promise<OpenedWindows & { kind: 'open' }> {
  const windows = await openRestoredWindows([{ path: disk, isBlockDevice: false }]);
  if (windows.kind !== 'open') throw new Error(windows.kind === 'refused' ? windows.reason : windows.kind);
  return windows;
}

/** Mounts a volume of a disk file with plain ntfs-3g, as any Linux would. */
export function inVolume<T>(disk: string, place: Place, use: (root: string) => T): T {
  using device = volumeDevice(disk, place);
  const root = fs.mkdtempSync('/tmp/rekindle-test-mount-');
  run('ntfs-3g', device.node, root);
  try {
    return use(root);
  } finally {
    run('umount', root);
    fs.rmdirSync(root);
  }
}

export async function writeFiles(disk: string, place: Place, files: StationFiles): Promise<void> {
  using device = volumeDevice(disk, place);
  await fillNtfs(device.node, files);
}

/** Puts a file in the ESP, in the place of one that is there. */
export function writeToEsp(disk: string, file: string, bytes: Uint8Array): void {
  using folder = makeTemporaryFolder();
  const copy = path.join(folder.path, 'copy');
  fs.writeFileSync(copy, bytes);
  run('mcopy', '-o', '-i', `${disk}@@${stationDisk.esp.startByte}`, copy, `::${file}`);
}

export function readFromEsp(disk: string, file: string): Buffer {
  using folder = makeTemporaryFolder();
  const copy = path.join(folder.path, 'copy');
  run('mcopy', '-n', '-i', `${disk}@@${stationDisk.esp.startByte}`, `::${file}`, copy);
  return fs.readFileSync(copy);
}

export const esp = { bcd: '/EFI/Microsoft/Boot/BCD', manager: '/EFI/Microsoft/Boot/bootmgfw.efi' };
export const config = 'Windows/System32/config';

/** What hivexget, which knows nothing of us, finds in a hive. */
export function hiveSays(hive: Uint8Array, key: string, name: string): string {
  using folder = makeTemporaryFolder();
  const file = path.join(folder.path, 'hive');
  fs.writeFileSync(file, hive);
  return run('hivexget', file, `\\${key}`, name).trim();
}

/** A log that was not left cleanly: its restart area names a client. */
export function leaveLogOpen(disk: string): void {
  using device = volumeDevice(disk, stationDisk.windows);
  const log = /^ +0 +(\d+) +\d+$/m.exec(
    run('ntfscluster', '-I', '2', device.node).split('0x80')[1] ?? '',
  )?.[1];
  const page = Buffer.alloc(4096);
  page.write('RSTR', 'latin1');
  page.writeUInt16LE(0x1e, 4);
  page.writeUInt16LE(9, 6);
  page.writeUInt16LE(0x30, 0x18);
  for (let sector = 0; sector <= 8; sector++) page.writeUInt16LE(7, sector === 0 ? 0x1e : sector * 512 - 2);
  const fd = fs.openSync(device.node, 'r+');
  fs.writeSync(fd, page, 0, page.length, Number(log) * 4096);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

/** The dirty flag of $Volume, in the MFT and in its mirror. */
export function markDirty(disk: string): void {
  using device = volumeDevice(disk, stationDisk.windows);
  const fd = fs.openSync(device.node, 'r+');
  const boot = Buffer.alloc(512);
  fs.readSync(fd, boot, 0, 512, 0);
  for (const at of [0x30, 0x38]) {
    const record = Number(boot.readBigUInt64LE(at)) * 4096 + 3 * 1024;
    const bytes = Buffer.alloc(1024);
    fs.readSync(fd, bytes, 0, 1024, record);
    for (let attribute = bytes.readUInt16LE(0x14); bytes.readUInt32LE(attribute) !== 0xffffffff; ) {
      if (bytes.readUInt32LE(attribute) === 0x70) {
        const flags = attribute + bytes.readUInt16LE(attribute + 0x14) + 10;
        bytes.writeUInt16LE(bytes.readUInt16LE(flags) | 1, flags);
      }
      attribute += bytes.readUInt32LE(attribute + 4);
    }
    fs.writeSync(fd, bytes, 0, 1024, record);
  }
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}
