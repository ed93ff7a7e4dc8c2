import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { safeBootPatch } from '#runtime/hooks/windows/boot/boot-store.ts';
import { servicePatch } from '#runtime/hooks/windows/first-boot/service-patch.ts';
import { stagedFilesWrong, stageFiles } from '#runtime/hooks/windows/first-boot/stage-files.ts';
import type { HivePatch } from '#runtime/hooks/windows/registry/hive-patch.ts';
import { openRestoredWindows } from '#runtime/hooks/windows/restored-windows.ts';
import {
  buildWindowsStation,
  defaultLoader,
  placeOf,
  someIdentity,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import {
  type DirtyHive,
  dirtyWithNewLogs,
  dirtyWithOldLog,
} from '#scripts/rehearsal/windows-station/hive-logs.ts';
import { systemHive } from '#scripts/rehearsal/windows-station/station-hives.ts';
import { makeTemporaryFolder, run, writeAt } from '#test/support/restore-demo-disk.ts';
import {
  config,
  esp,
  hiveSays,
  inVolume,
  leaveLogOpen,
  markDirty,
  openWindowsDisk,
  readFromEsp,
  volumeDevice,
  writeFiles,
  writeToEsp,
} from '#test/support/windows-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let disk: string;

beforeAll(async () => {
  folder = makeTemporaryFolder();
  await buildWindowsStation(path.join(folder.path, 'good.img'), windowsStation());
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

/** A fresh copy of the station's disk, changed. */
async function station(change: (disk: string) => void | Promise<void> = () => {}): Promise<string> {
  disk = path.join(folder.path, 'station.img');
  fs.rmSync(disk, { force: true });
  run('cp', '--sparse=always', path.join(folder.path, 'good.img'), disk);
  await change(disk);
  return disk;
}

const opened = () => openWindowsDisk(disk);

async function whyRefused(): Promise<string> {
  const windows = await openRestoredWindows([{ path: disk, isBlockDevice: false }]);
  if (windows.kind !== 'open') return windows.kind === 'refused' ? windows.reason : windows.kind;
  await windows[Symbol.asyncDispose]();
  return 'it was opened';
}

const service = servicePatch('ControlSet001', {
  name: 'RekindleFirstBoot',
  displayName: 'What follows the restore',
  description: 'Wiederherstellung ☃',
  wrapper: '%SystemRoot%\\Rekindle\\nssm64.exe',
  application: '%SystemRoot%\\System32\\cscript.exe',
  arguments: '//B //NoLogo "%SystemRoot%\\Rekindle\\agent.js"',
  folder: '%SystemRoot%\\Rekindle',
  log: '%SystemRoot%\\Rekindle\\log.txt',
  inSafeMode: true,
});
const readHive = (name: string): Buffer =>
  inVolume(disk, stationDisk.windows, (root) => fs.readFileSync(`${root}/${config}/${name}`));
const serviceKey = 'ControlSet001\\Services\\RekindleFirstBoot';

describe('a hive is changed', () => {
  test('once: read back after the unmount by hivexget, other values kept, original beside it, no open access', async () => {
    await station();
    const acl = lockedBy('config/SYSTEM');
    const before = readHive('SYSTEM');
    {
      await using windows = await opened();
      const { system } = windows;
      expect(system.controlSet).toBe('ControlSet001');
      expect(await system.missingInHive('SYSTEM', service)).toHaveLength(service.length);
      expect(await system.changeHive('SYSTEM', service)).toMatchObject({
        outcome: 'changed',
        replayedWrites: 0,
      });
      await system.remount();
      expect(await system.missingInHive('SYSTEM', service)).toEqual([]);
      expect(await system.changeHive('SYSTEM', service)).toMatchObject({ outcome: 'already-right' });
    }
    const after = readHive('SYSTEM');
    expect(hiveSays(after, serviceKey, 'Start')).toBe('2');
    expect(hiveSays(after, serviceKey, 'ObjectName')).toBe('LocalSystem');
    expect(hiveSays(after, serviceKey, 'ImagePath')).toBe('%SystemRoot%\\Rekindle\\nssm64.exe');
    expect(hiveSays(after, serviceKey, 'Description')).toBe('Wiederherstellung ☃');
    expect(hiveSays(after, 'ControlSet001\\Services\\LanmanServer', 'DisplayName')).toBe('Serveur réseau');
    expect(readHive('SYSTEM.rekindle-original')).toEqual(before);
    // Sequence numbers equal and one higher: Windows takes it for a hive that was left cleanly.
    expect([after.readUInt32LE(4), after.readUInt32LE(8)]).toEqual([
      before.readUInt32LE(4) + 1,
      before.readUInt32LE(4) + 1,
    ]);
    expect(lockedBy('config/SYSTEM')).toBe(acl);
  });

  const place = placeOf(stationDisk.windows);
  const old = systemHive({ ...someIdentity, computerName: 'BEFORE' }, place);
  const now = systemHive(someIdentity, place);
  test.each<[string, DirtyHive]>([
    ['of Windows 7', dirtyWithOldLog(old, now)],
    ['of Windows 10', dirtyWithNewLogs(old, [old, now], 1)],
  ])('that a running Windows %s left: its logs are in it first', async (_, { primary, log1, log2 }) => {
    await station((file) =>
      writeFiles(file, stationDisk.windows, {
        [`${config}/SYSTEM`]: primary,
        [`${config}/SYSTEM.LOG1`]: log1,
        [`${config}/SYSTEM.LOG2`]: log2,
      }),
    );
    {
      await using windows = await opened();
      const change = await windows.system.changeHive('SYSTEM', service);
      expect(change.outcome).toBe('changed');
      expect(change.replayedWrites).toBeGreaterThan(0);
    }
    const hive = readHive('SYSTEM');
    expect(hiveSays(hive, 'ControlSet001\\Control\\ComputerName\\ComputerName', 'ComputerName')).toBe(
      'OS-SRV-1A',
    );
    expect(hiveSays(hive, serviceKey, 'Start')).toBe('2');
    expect(readHive('SYSTEM.rekindle-original')).toEqual(primary);
    expect(readHive('SYSTEM.LOG1')).toEqual(log1);
  });

  test('not at all when its logs do not fit: the sentence says why, and the file stays', async () => {
    const { primary } = dirtyWithOldLog(old, now);
    await station((file) => writeFiles(file, stationDisk.windows, { [`${config}/SAM`]: primary }));
    {
      await using windows = await opened();
      await expect(windows.system.changeHive('SAM', service)).rejects.toMatchObject({
        message: 'reading the registry hive SAM',
        cause: new Error('Windows had not finished writing it, and neither of its logs can be used'),
      });
    }
    expect(readHive('SAM')).toEqual(primary);
  });

  test('not at all on a full volume: the hive is the old one, and nothing is left over', async () => {
    await station();
    const before = readHive('SYSTEM');
    {
      await using windows = await opened();
      const fill = path.join(windows.system.root, 'fill');
      fs.writeFileSync(fill, Buffer.alloc(64 << 20));
      for (const size of [32 << 20, 4 << 20, 64 << 10, 4096, 512]) {
        const fd = fs.openSync(fill, 'a');
        try {
          for (;;) fs.writeSync(fd, Buffer.alloc(size));
        } catch {}
        fs.closeSync(fd);
      }
      await expect(windows.system.changeHive('SYSTEM', service)).rejects.toThrow(
        'writing SYSTEM of the restored system',
      );
      fs.rmSync(fill);
    }
    expect(readHive('SYSTEM')).toEqual(before);
    expect(inVolume(disk, stationDisk.windows, (root) => fs.readdirSync(`${root}/${config}`)).sort()).toEqual(
      ['SAM', 'SECURITY', 'SOFTWARE', 'SYSTEM'],
    );
  });
});

test('safe mode is set in the boot store and taken back, by bcdedit’s element', async () => {
  await station();
  const element = `Objects\\${defaultLoader}\\Elements\\25000080`;
  const change = async (patch: HivePatch) => {
    await using windows = await opened();
    expect((await windows.system.changeBootStore(patch)).outcome).toBe('changed');
    expect(await windows.system.missingInBootStore(patch)).toEqual([]);
    return windows.system.loader;
  };
  const before = readFromEsp(disk, esp.bcd);
  expect(await change(safeBootPatch(defaultLoader, 'dsrepair'))).toMatchObject({ safeBoot: null });
  // hivexget writes binary values as hex.
  expect(() => hiveSays(readFromEsp(disk, esp.bcd), element, 'Element')).not.toThrow();
  expect(readFromEsp(disk, `${esp.bcd}.rekindle-original`)).toEqual(before);
  expect(await change(safeBootPatch(defaultLoader, null))).toMatchObject({ safeBoot: 'dsrepair' });
  expect(() => hiveSays(readFromEsp(disk, esp.bcd), element, 'Element')).toThrow();
});

test('a loop device that its last owner left write-locked is written to all the same', async () => {
  await station();
  const next = run('losetup', '--find').trim();
  run('blockdev', '--setro', next);
  try {
    await using windows = await opened();
    expect(windows.system.facts?.computerName).toBe('OS-SRV-1A');
    fs.writeFileSync(path.join(windows.system.root, 'written'), '');
  } finally {
    run('blockdev', '--setrw', next);
  }
});

describe('a volume is not opened for writing', () => {
  test.each([
    [
      'it is marked dirty',
      markDirty,
      'it is marked dirty: Windows has to check it before anybody else writes there',
    ],
    [
      // One restart page that names a client. A log that ntfsrecover replays needs a real Windows (docs/real-hardware.md).
      'its log is open and ntfsrecover does not understand it',
      leaveLogOpen,
      'its log could not be replayed: ntfsrecover ended with 1: ** Could not get any restart page',
    ],
    [
      'Windows is hibernated',
      (file: string) => writeFiles(file, stationDisk.windows, { 'hiberfil.sys': Buffer.alloc(8192, 'hibr') }),
      'Windows is hibernated in it: what is written now would be overwritten when it wakes up',
    ],
    [
      'it is encrypted',
      (file: string) => writeAt(file, Buffer.from('-FVE-FS-'), stationDisk.windows.startByte + 3),
      'partition 3 is encrypted with BitLocker, and no other one holds a Windows',
    ],
    [
      'the boot store is damaged and there are two installations',
      async (file: string) => {
        await writeFiles(file, stationDisk.projects, windowsStation().files.windows);
        writeToEsp(file, esp.bcd, Buffer.alloc(8192, 'x'));
      },
      'there are 2 Windows installations, and no boot loader says which one starts',
    ],
  ])('when %s', async (_, change, why) => {
    await station(change);
    const before = run('sha256sum', disk);
    expect(await whyRefused()).toContain(why);
    expect(run('sha256sum', disk)).toBe(before);
  });

  test('where ntfs-3g can only read, which it does in silence', async () => {
    await station();
    const readOnly = fs.mkdtempSync('/tmp/rekindle-test-mount-');
    run('mount', '--bind', folder.path, readOnly);
    run('mount', '-o', 'remount,bind,ro', readOnly);
    try {
      disk = path.join(readOnly, 'station.img');
      expect(await whyRefused()).toMatch(/ntfs-3g fell back to read-only/);
    } finally {
      run('umount', '--lazy', readOnly);
      fs.rmdirSync(readOnly);
    }
  });
});

/** O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA), self-relative (MS-DTYP 2.4.6). */
const systemAndAdministrators = [
  '01000494 48000000 54000000 00000000 14000000 02003400 02000000 00031400 ff011f00 01010000 00000005 12000000',
  '00031800 ff011f00 01020000 00000005 20000000 20020000 01010000 00000005 12000000 01010000 00000005 12000000',
].join(' ');

test('staged files are SYSTEM’s and administrators’ alone, and replaced whole', async () => {
  await station();
  const files = new Map([
    ['agent.js', Buffer.from('// the agent\n')],
    ['steps\\01-sql\\command', Buffer.from('sqlcmd\n')],
  ]);
  const target = '\\windows\\Rekindle';
  {
    await using windows = await opened();
    const { system } = windows;
    stageFiles(system.root, target, new Map([['old.js', Buffer.from('old')]]));
    stageFiles(system.root, target, files);
    await system.remount();
    expect(stagedFilesWrong(system.root, target, files)).toEqual([]);
    fs.writeFileSync(path.join(system.root, 'Windows/Rekindle/agent.js'), 'other');
    expect(stagedFilesWrong(system.root, target, files)).toEqual(['agent.js is not what was written']);
  }
  const names = inVolume(disk, stationDisk.windows, (root) => fs.readdirSync(`${root}/Windows/Rekindle`));
  expect(names.sort()).toEqual(['agent.js', 'steps']);
  for (const name of ['Rekindle', 'Rekindle/agent.js', 'Rekindle/steps', 'Rekindle/steps/01-sql/command'])
    expect(lockedBy(name), name).toBe(systemAndAdministrators);
});

/** The access rights of a file below \Windows in hex, as ntfssecaudit, which knows nothing of us, reads them. */
function lockedBy(name: string): string {
  using device = volumeDevice(disk, stationDisk.windows);
  const file = name.startsWith('config/') ? `System32/${name}` : name;
  const said = run('ntfssecaudit', '-v', device.node, `/Windows/${file}`);
  return [...said.matchAll(/^ +[0-9a-f]{6} +([0-9a-f ]+)$/gm)].map(([, hex]) => hex).join(' ');
}
