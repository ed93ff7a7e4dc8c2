import fs from 'node:fs';
import path from 'node:path';
import { runTool, type Tool } from '#base/run-tool.ts';
import {
  bareHive,
  bootStoreHive,
  type PlacedPartition,
  type StationIdentity,
  softwareHive,
  systemHive,
} from './station-hives.ts';

const tool = (command: string, debianPackage: string): Tool => ({ command, debianPackage });
const sgdisk = tool('sgdisk', 'gdisk');
const mkntfs = tool('mkntfs', 'ntfs-3g');
const ntfs3g = tool('ntfs-3g', 'ntfs-3g');
const umount = tool('umount', 'mount');
const mkfsVfat = tool('mkfs.vfat', 'dosfstools');
const mmd = tool('mmd', 'mtools');
const mcopy = tool('mcopy', 'mtools');

const mib = 1 << 20;
export const stationDisk = {
  sizeBytes: 256 * mib,
  diskGuid: '11111111-2222-4333-8444-555555555555',
  esp: { number: 1, startByte: 1 * mib, sizeBytes: 40 * mib, guid: 'AAAAAAAA-0001-4000-8000-000000000001' },
  reserved: {
    number: 2,
    startByte: 41 * mib,
    sizeBytes: 16 * mib,
    guid: 'AAAAAAAA-0002-4000-8000-000000000002',
  },
  windows: {
    number: 3,
    startByte: 57 * mib,
    sizeBytes: 128 * mib,
    guid: 'AAAAAAAA-0003-4000-8000-000000000003',
  },
  projects: {
    number: 4,
    startByte: 185 * mib,
    sizeBytes: 64 * mib,
    guid: 'AAAAAAAA-0004-4000-8000-000000000004',
  },
} as const;
type Place = (typeof stationDisk)['esp' | 'reserved' | 'windows' | 'projects'];

const partitionTypes = { esp: 'EF00', reserved: '0C01', windows: '0700', projects: '0700' } as const;
export const defaultLoader = '{01234567-89ab-4cde-8f01-23456789abcd}';

/** Files of a volume by their paths below its root. */
export type StationFiles = Readonly<Record<string, Uint8Array>>;

export interface WindowsStation {
  readonly identity: StationIdentity;
  readonly files: {
    readonly esp: StationFiles;
    readonly windows: StationFiles;
    readonly projects: StationFiles;
  };
}

export const someIdentity: StationIdentity = {
  computerName: 'OS-SRV-1A',
  domain: 'plant.example',
  productType: 'ServerNT',
  sqlInstances: ['WINCC'],
};

export const placeOf = ({ guid }: Place): PlacedPartition => ({
  diskGuid: stationDisk.diskGuid,
  partitionGuid: guid,
});

/** What is on the station's volumes; whoever wants another one changes a copy. No byte of it is Microsoft's. */
export function windowsStation(identity: StationIdentity = someIdentity): WindowsStation {
  const config = 'Windows/System32/config';
  const place = placeOf(stationDisk.windows);
  const shape = Buffer.from('This has the shape of a loader and does not run.\n');
  return {
    identity,
    files: {
      esp: {
        'EFI/Microsoft/Boot/bootmgfw.efi': shape,
        'EFI/Boot/bootx64.efi': shape,
        'EFI/Microsoft/Boot/BCD': bootStoreHive(placeOf(stationDisk.esp), [
          {
            identifier: defaultLoader,
            description: 'Shape of Windows Server',
            place,
            path: '\\Windows\\system32\\winload.efi',
          },
        ]),
      },
      windows: {
        // Windows does not care about the case of names; the store and the folder often differ.
        'Windows/System32/winload.efi': shape,
        'Windows/System32/cscript.exe': shape,
        [`${config}/SYSTEM`]: systemHive(identity, place),
        [`${config}/SOFTWARE`]: softwareHive(identity),
        [`${config}/SAM`]: bareHive(),
        [`${config}/SECURITY`]: bareHive(),
        ...(identity.productType === 'LanmanNT' ? { 'Windows/NTDS/ntds.dit': shape } : {}),
        'Users/Zoë/Déjà vu ☃.txt': Buffer.from('a name that is not ASCII\n'),
      },
      projects: { 'PCS7/Anlage/Projekt.s7p': Buffer.from('a project\n') },
    },
  };
}

/** Writes the station's disk: GPT, ESP, reserved, Windows and data volume. */
export async function buildWindowsStation(output: string, { files }: WindowsStation): Promise<void> {
  fs.rmSync(output, { force: true });
  fs.writeFileSync(output, '');
  fs.truncateSync(output, stationDisk.sizeBytes);
  await runTool('making the GPT', sgdisk, ['--clear', '--disk-guid', stationDisk.diskGuid, output]);
  for (const [name, type] of Object.entries(partitionTypes)) {
    const { number, startByte, sizeBytes, guid } = stationDisk[name as keyof typeof partitionTypes];
    const [first, last] = [startByte / 512, (startByte + sizeBytes) / 512 - 1];
    await runTool('making a partition', sgdisk, [
      `--new=${number}:${first}:${last}`,
      `--typecode=${number}:${type}`,
      `--partition-guid=${number}:${guid}`,
      `--change-name=${number}:${name === 'projects' ? 'PROJECTS' : name}`,
      output,
    ]);
  }
  await placeVolume(output, stationDisk.esp, (volume) => makeEsp(volume, files.esp));
  await placeVolume(output, stationDisk.windows, (volume) =>
    makeNtfs(volume, 'System', stationDisk.windows, files.windows),
  );
  await placeVolume(output, stationDisk.projects, (volume) =>
    makeNtfs(volume, 'PROJECTS', stationDisk.projects, files.projects),
  );
}

async function placeVolume(
  disk: string,
  place: Place,
  make: (volume: string) => Promise<void>,
): Promise<void> {
  const volume = `${disk}.volume`;
  try {
    fs.writeFileSync(volume, '');
    fs.truncateSync(volume, place.sizeBytes);
    await make(volume);
    const [from, to] = [fs.openSync(volume, 'r'), fs.openSync(disk, 'r+')];
    const buffer = Buffer.alloc(mib);
    for (let at = 0; at < place.sizeBytes; at += mib) {
      fs.readSync(from, buffer, 0, mib, at);
      if (buffer.some((byte) => byte !== 0)) fs.writeSync(to, buffer, 0, mib, place.startByte + at);
    }
    fs.closeSync(from);
    fs.closeSync(to);
  } finally {
    fs.rmSync(volume, { force: true });
  }
}

async function makeEsp(volume: string, files: StationFiles): Promise<void> {
  await runTool('making the ESP', mkfsVfat, ['-F', '16', '-n', 'ESP', volume]);
  const folders = new Set(Object.keys(files).flatMap((file) => foldersAbove(file)));
  for (const folder of folders) await runTool('filling the ESP', mmd, ['-i', volume, `::/${folder}`]);
  for (const [file, bytes] of Object.entries(files))
    await runTool('filling the ESP', mcopy, ['-i', volume, '-', `::/${file}`], { input: bytes });
}

/** @param place whose start goes into the boot sector, as Windows writes it there */
async function makeNtfs(volume: string, label: string, place: Place, files: StationFiles): Promise<void> {
  const start = String(place.startByte / 512);
  const geometry = ['-p', start, '-H', '255', '-S', '63'];
  await runTool('making an NTFS', mkntfs, ['-F', '-Q', '-q', '-L', label, ...geometry, volume]);
  await fillNtfs(volume, files);
}

/** Writes files into an NTFS that is a file or a device. */
export async function fillNtfs(volume: string, files: StationFiles): Promise<void> {
  const root = fs.mkdtempSync('/tmp/rekindle-station-');
  await runTool('mounting the NTFS', ntfs3g, [volume, root]);
  try {
    for (const [file, bytes] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      fs.writeFileSync(path.join(root, file), bytes);
    }
  } finally {
    await runTool('unmounting the NTFS', umount, [root]);
    fs.rmdirSync(root);
  }
}

function foldersAbove(file: string): string[] {
  const parts = file.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
