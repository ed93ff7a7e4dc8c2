import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExpectedWindows } from '#runtime/hooks/windows/inspection/check-windows.ts';
import { examineDisks } from '#runtime/hooks/windows/inspection/examine-disks.ts';
import { inspectWindows } from '#runtime/hooks/windows/inspection/inspect-windows.ts';
import { writeExtendedAttribute } from '#runtime/hooks/windows/native/extended-attributes.ts';
import {
  buildWindowsStation,
  defaultLoader,
  placeOf,
  someIdentity,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { dirtyWithNewLogs } from '#scripts/rehearsal/windows-station/hive-logs.ts';
import { bootStoreHive, softwareHive, systemHive } from '#scripts/rehearsal/windows-station/station-hives.ts';
import { makeTemporaryFolder, run, writeAt } from '#test/support/restore-demo-disk.ts';
import {
  config,
  esp,
  inVolume,
  leaveLogOpen,
  markDirty,
  writeFiles,
  writeToEsp,
} from '#test/support/windows-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
const good = (): string => path.join(folder.path, 'good.img');

beforeAll(async () => {
  folder = makeTemporaryFolder();
  await buildWindowsStation(good(), windowsStation());
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

const expected: ExpectedWindows = {
  computerName: 'OS-SRV-1A',
  stationRole: 'server',
  windows: {
    product: 'Shape of Windows Server',
    edition: 'ServerStandard',
    build: '17763.1339',
    computerName: 'OS-SRV-1A',
    domain: 'plant.example',
    role: 'server',
    sqlInstances: ['WINCC'],
  },
};

/** A copy of the good disk, changed. */
async function changed(change: (disk: string) => void | Promise<void>): Promise<string> {
  const disk = path.join(folder.path, 'changed.img');
  fs.rmSync(disk, { force: true });
  run('cp', '--sparse=always', good(), disk);
  await change(disk);
  return disk;
}

async function findingsOf(disk: string, wanted: ExpectedWindows = expected) {
  const { findings } = inspectWindows(await examineDisks([{ path: disk, isBlockDevice: false }]), wanted);
  return findings;
}

/** Everything that is not right, as `outcome check`. */
async function wrongOf(disk: string, wanted?: ExpectedWindows): Promise<string[]> {
  const findings = await findingsOf(disk, wanted);
  return findings
    .filter(({ outcome }) => outcome !== 'right')
    .map(({ outcome, check }) => `${outcome} ${check}`);
}

test('a good disk: everything is looked at, nothing is wrong, and nothing is written', async () => {
  const before = run('sha256sum', good());
  const findings = await findingsOf(good());
  expect(findings.filter(({ outcome }) => outcome !== 'right')).toEqual([]);
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set([
      ...[
        'gpt-primary',
        'gpt-backup',
        'gpt-copies',
        'ntfs-hidden-sectors',
        'ntfs-size',
        'ntfs-state',
        'windows',
      ],
      ...['boot-manager', 'bcd-hive', 'bcd-boot-manager', 'bcd-default', 'bcd-device', 'bcd-os-device'],
      ...['loader-file', 'safe-boot', 'hive-system', 'hive-software', 'hive-sam', 'hive-security', 'edition'],
      ...['drive-c', 'computer-name', 'role', 'domain', 'sql-instances', 'build'],
    ]),
  );
  expect(run('sha256sum', good())).toBe(before);
});

describe('what keeps it from starting is named', () => {
  const hive = (name: string, bytes: Uint8Array) => (disk: string) =>
    writeFiles(disk, stationDisk.windows, { [`${config}/${name}`]: bytes });
  const damages: [string, (disk: string) => void | Promise<void>, string[]][] = [
    [
      'a flipped bit in the primary GPT',
      (disk) => writeAt(disk, Buffer.from([1]), 512 + 60),
      ['fatal gpt-primary'],
    ],
    [
      'no backup GPT',
      (disk) => writeAt(disk, Buffer.alloc(512), stationDisk.sizeBytes - 512),
      ['warning gpt-backup'],
    ],
    [
      'hidden sectors of another place',
      (disk) => writeAt(disk, Buffer.from([63, 0, 0, 0]), stationDisk.windows.startByte + 0x1c),
      ['fatal ntfs-hidden-sectors'],
    ],
    [
      'a partition with another GUID than the store and the registry know',
      (disk) => void run('sgdisk', '--partition-guid=3:AAAAAAAA-0003-4000-8000-0000000000FF', disk),
      ['fatal bcd-device', 'fatal bcd-os-device', 'fatal drive-c'],
    ],
    [
      'an ESP with another GUID',
      (disk) => void run('sgdisk', '--partition-guid=1:AAAAAAAA-0001-4000-8000-0000000000FF', disk),
      ['fatal bcd-boot-manager'],
    ],
    [
      'no boot manager',
      (disk) => void run('mdel', '-i', `${disk}@@${stationDisk.esp.startByte}`, `::${esp.manager}`),
      ['fatal boot-manager'],
    ],
    [
      'no boot store',
      (disk) => void run('mdel', '-i', `${disk}@@${stationDisk.esp.startByte}`, `::${esp.bcd}`),
      ['fatal bcd-hive'],
    ],
    [
      'a damaged boot store',
      (disk) => writeToEsp(disk, esp.bcd, Buffer.alloc(8192, 'x')),
      ['fatal bcd-hive'],
    ],
    [
      'no loader',
      (disk) =>
        inVolume(disk, stationDisk.windows, (root) => fs.rmSync(`${root}/Windows/System32/winload.efi`)),
      ['fatal loader-file'],
    ],
    [
      'a hive that is cut off',
      hive('SOFTWARE', softwareHive(someIdentity).subarray(0, 9000)),
      ['fatal hive-software', 'fatal control-set'],
    ],
    [
      'a hive with a wrong checksum and no log',
      async (disk) => {
        const bytes = systemHive(someIdentity, placeOf(stationDisk.windows));
        bytes.writeUInt32LE(1, 508);
        await hive('SYSTEM', bytes)(disk);
      },
      ['fatal hive-system', 'fatal control-set'],
    ],
    [
      'a hibernated Windows',
      (disk) => writeFiles(disk, stationDisk.windows, { 'HiberFil.sys': Buffer.alloc(8192, 'hibr') }),
      ['fatal ntfs-state'],
    ],
    ['a dirty volume', markDirty, ['warning ntfs-state']],
    ['an open NTFS log', leaveLogOpen, ['warning ntfs-state']],
    [
      'another computer',
      hive(
        'SYSTEM',
        systemHive({ ...someIdentity, computerName: 'OS-SRV-1B' }, placeOf(stationDisk.windows)),
      ),
      ['fatal computer-name'],
    ],
    [
      'a domain controller that is registered as a server, and has no directory',
      hive('SYSTEM', systemHive({ ...someIdentity, productType: 'LanmanNT' }, placeOf(stationDisk.windows))),
      ['fatal role', 'fatal directory-database'],
    ],
    [
      'another domain, and other instances of SQL Server',
      async (disk) => {
        const identity = { ...someIdentity, domain: 'other.example', sqlInstances: [] };
        await hive('SYSTEM', systemHive(identity, placeOf(stationDisk.windows)))(disk);
        await hive('SOFTWARE', softwareHive(identity))(disk);
      },
      ['warning domain', 'warning sql-instances'],
    ],
  ];
  test.each(damages)('%s', async (_, change, wrong) => {
    expect(await wrongOf(await changed(change))).toEqual(wrong);
  });

  test('BitLocker, with the reason why nothing else was looked at', async () => {
    const disk = await changed((file) =>
      writeAt(file, Buffer.from('-FVE-FS-'), stationDisk.windows.startByte + 3),
    );
    const findings = await findingsOf(disk);
    expect(findings.filter(({ outcome }) => outcome !== 'right').map(({ sentence }) => sentence)).toEqual([
      `Partition 3 of ${disk} is encrypted with BitLocker: nothing in it can be looked at, and it starts only on hardware that has its key.`,
      'No Windows to start: partition 3 is encrypted with BitLocker, and no other one holds a Windows.',
    ]);
  });
});

test('a domain controller with its directory, registered as one', async () => {
  const identity = { ...someIdentity, productType: 'LanmanNT' as const, sqlInstances: [] };
  const disk = await changed(async (file) => {
    const { files } = windowsStation(identity);
    await writeFiles(file, stationDisk.windows, files.windows);
  });
  const wanted = { computerName: 'OS-SRV-1A', stationRole: 'domain-controller' as const };
  expect(await wrongOf(disk, wanted)).toEqual(['unknown domain', 'unknown sql-instances', 'unknown build']);
});

test('a hive of a running Windows is read with what its logs hold', async () => {
  const place = placeOf(stationDisk.windows);
  const before = systemHive({ ...someIdentity, computerName: 'BEFORE' }, place);
  const after = systemHive(someIdentity, place);
  const { primary, log1, log2 } = dirtyWithNewLogs(before, [after]);
  const disk = await changed((file) =>
    writeFiles(file, stationDisk.windows, {
      [`${config}/SYSTEM`]: primary,
      [`${config}/System.log1`]: log1,
      [`${config}/SYSTEM.LOG2`]: log2,
    }),
  );
  const findings = await findingsOf(disk);
  expect(findings.find(({ check }) => check === 'hive-system')?.sentence).toContain(
    '1 write(s) from its logs',
  );
  expect(findings.find(({ check }) => check === 'computer-name')?.outcome).toBe('right');
});

test('two installations: the default loader says which one counts; without it, nothing is guessed', async () => {
  const loader = { description: 'Shape of Windows Server', path: '\\Windows\\system32\\winload.efi' };
  const other = {
    ...loader,
    identifier: '{11111111-0000-4000-8000-000000000000}',
    description: 'The other one',
  };
  const disk = await changed(async (file) => {
    await writeFiles(
      file,
      stationDisk.projects,
      windowsStation({ ...someIdentity, computerName: 'OTHER' }).files.windows,
    );
    const store = bootStoreHive(placeOf(stationDisk.esp), [
      { ...loader, identifier: defaultLoader, place: placeOf(stationDisk.windows) },
      { ...other, place: placeOf(stationDisk.projects) },
    ]);
    writeToEsp(file, esp.bcd, store);
  });
  const findings = await findingsOf(disk);
  expect(findings.filter(({ outcome }) => outcome !== 'right')).toEqual([]);
  expect(findings.find(({ check }) => check === 'bcd-default')?.sentence).toBe(
    '"Shape of Windows Server" starts when nobody chooses; 1 more can be chosen.',
  );
  run('mdel', '-i', `${disk}@@${stationDisk.esp.startByte}`, `::${esp.bcd}`);
  expect((await findingsOf(disk)).at(-1)).toEqual({
    check: 'windows',
    outcome: 'fatal',
    sentence:
      'No Windows to start: there are 2 Windows installations, and no boot loader says which one starts.',
  });
});

test('names in any case are found; a junction is not followed', async () => {
  const renamed = await changed((file) =>
    inVolume(file, stationDisk.windows, (root) => {
      fs.renameSync(`${root}/Windows`, `${root}/WINDOWS`);
      fs.renameSync(`${root}/WINDOWS/System32`, `${root}/WINDOWS/system32`);
    }),
  );
  expect(await wrongOf(renamed)).toEqual([]);
  const junction = await changed((file) =>
    inVolume(file, stationDisk.windows, (root) => {
      fs.renameSync(`${root}/Windows`, `${root}/Elsewhere`);
      fs.mkdirSync(`${root}/Windows`);
      writeExtendedAttribute(
        `${root}/Windows`,
        'system.ntfs_reparse_data',
        junctionTo('\\??\\C:\\Elsewhere'),
      );
    }),
  );
  expect(await wrongOf(junction)).toEqual(['fatal windows']);
});

/** REPARSE_DATA_BUFFER of a mount point (MS-FSCC 2.1.2.5). */
function junctionTo(target: string): Buffer {
  const name = Buffer.from(target, 'utf16le');
  const data = Buffer.alloc(8 + 8 + name.length + 4);
  data.writeUInt32LE(0xa0000003, 0);
  data.writeUInt16LE(data.length - 8, 4);
  data.writeUInt16LE(name.length, 10);
  data.writeUInt16LE(name.length + 2, 12);
  name.copy(data, 16);
  return data;
}
