import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { formatImageRef } from '#images/format/image-name.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import type { SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { systemStatePath } from '#images/stores/system-state-files.ts';
import { copiedStateWrong } from '#runtime/hooks/domain/read-copied-state.ts';
import {
  readExtendedAttribute,
  writeExtendedAttribute,
} from '#runtime/hooks/windows/native/extended-attributes.ts';
import {
  buildWindowsStation,
  defaultLoader,
  stationDisk,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { systemHive } from '#scripts/rehearsal/windows-station/station-hives.ts';
import { captureKey } from '#test/support/capture-image-of.ts';
import { controllerIdentity, controllerName, controllerStation } from '#test/support/controller-station.ts';
import { cutWindowsPower, sizeOnMounts } from '#test/support/cut-windows-power.ts';
import { makeTemporaryFolder, noise, run } from '#test/support/restore-demo-disk.ts';
import { serveStallingStore } from '#test/support/stalling-store.ts';
import { runStoredState, type StoredStateEnd, type StoredStateRun } from '#test/support/stored-state-hook.ts';
import { type BackupFiles, someBackup, writeSystemState } from '#test/support/system-state-in-store.ts';
import {
  config,
  esp,
  hiveSays,
  inVolume,
  readFromEsp,
  volumeDevice,
  writeFiles,
} from '#test/support/windows-disk.ts';

/**
 * A system state of the store on the drive of a restored controller: real NTFS, written by the runtime's hook, read by
 * plain ntfs-3g. What wbadmin makes of the folder needs real Windows.
 */
const utc = '20261120T020000Z';
const vhdx = 'Backup 2026-11-20 020000/b2b0.vhdx';
const note = 'rekindle-system-state.json';
const backup = `WindowsImageBackup/${controllerName}`;
let folder: ReturnType<typeof makeTemporaryFolder>;
let disk: string;
let store: string;
let manifest: SystemStateManifest;
let chosen: string;
let say: string[];
const inFolder = (name: string): string => path.join(folder.path, name);

beforeAll(async () => {
  folder = makeTemporaryFolder();
  await buildWindowsStation(inFolder('good.img'), controllerStation());
  fs.writeFileSync(inFolder('site.pub'), formatPublicKey(captureKey));
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

beforeEach(() => {
  disk = inFolder('station.img');
  fs.rmSync(disk, { force: true });
  run('cp', '--sparse=always', inFolder('good.img'), disk);
  store = fs.mkdtempSync(inFolder('store-'));
  say = [];
  put(utc, someBackup(utc, 3_000_000));
});

/** Into the store, as what the preflight has chosen. */
function put(time: string, files: BackupFiles): void {
  const written = writeSystemState(store, captureKey, { station: controllerName, utc: time, files });
  manifest = written.manifest;
  chosen = formatImageRef(written.name);
}

const applied = (more: Partial<StoredStateRun> = {}): Promise<StoredStateEnd> =>
  runStoredState({
    ...{ disk, chosen, say: (sentence: string) => say.push(sentence) },
    store: { source: { kind: 'directory', path: store }, key: captureKey },
    ...more,
  });

type Place = (typeof stationDisk)['windows' | 'projects'];
const stored = (file: string): Buffer =>
  fs.readFileSync(path.join(store, ...systemStatePath(parsedName(), manifest, { path: file })));
const parsedName = () => ({ station: manifest.station, utc: chosen.split('@')[1] ?? '' });

/** Everything below a volume's backup folder, by what plain ntfs-3g reads. */
function onVolume(place: Place = stationDisk.projects): Record<string, Buffer> {
  return inVolume(disk, place, (root) => {
    const files: Record<string, Buffer> = {};
    for (const entry of fs.readdirSync(path.join(root, backup), { recursive: true, withFileTypes: true })) {
      const at = path.join(entry.parentPath, entry.name);
      if (entry.isFile()) files[path.relative(path.join(root, backup), at)] = fs.readFileSync(at);
    }
    return files;
  });
}
const wanted = (): Record<string, Buffer> =>
  Object.fromEntries(manifest.files.map(({ path: file }) => [file, stored(file)]));

/** SYSTEM's and administrators' full access, and nobody else's: O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA). */
const onlyAdministrators = Buffer.from(
  [
    '01000494' + '48000000' + '54000000' + '00000000' + '14000000',
    '02003400' + '02000000',
    '00031400' + 'ff011f00' + '010100000000000512000000',
    '00031800' + 'ff011f00' + '01020000000000052000000020020000',
    '010100000000000512000000',
    '010100000000000512000000',
  ].join(''),
  'hex',
);

const bootMode = (): number | null => {
  const element = `Objects\\${defaultLoader}\\Elements\\25000080`;
  try {
    // hivexget prints the bytes as they are.
    return hiveSays(readFromEsp(disk, esp.bcd), element, 'Element').charCodeAt(0);
  } catch {
    return null;
  }
};
const inRestoreMode = 2;

test('the state is on D: as wbadmin wrote it, for administrators only; it starts in restore mode; twice is like once', async () => {
  const { record, staged } = await applied();
  expect(record.result).toMatchObject({ outcome: 'staged', sentence: expect.stringContaining('from D:') });
  expect(onVolume()).toEqual(wanted());
  expect(bootMode()).toBe(inRestoreMode);
  expect(record.plan.map(({ sentence }) => sentence).join('\n')).toMatch(
    /system state of 2026-11-20T02:00:00Z .2\.\d MiB. is copied to D:.WindowsImageBackup.DC-1, for SYSTEM and administrators only[\s\S]*-version:11.20.2026-02:00 -backupTarget:D: -machine/,
  );
  expect(record.evidence).toContainEqual({ name: 'system state', value: 'DC-1@20261120T020000Z' });
  const step = staged?.files.find(({ name }) => name === 'domain-controller.cmd')?.bytes ?? '';
  expect(Buffer.from(step).toString('latin1')).toMatch(
    /-version:11\/20\/2026-02:00 "-backupTarget:D:"[\s\S]*=="Backup 2026-11-20 020000" goto other[\s\S]*rd \/s \/q "D:\\WindowsImageBackup\\DC-1"/,
  );
  expect(staged?.plan.steps).toMatchObject([{ timeoutSeconds: 7200 }]);
  expect(say.join('\n')).toMatch(/Copying the system state to D:: 2\.\d MiB in 8 file/);

  const seen = inVolume(disk, stationDisk.projects, (root) => {
    const places = ['', '/Catalog', '/Backup 2026-11-20 020000', `/${vhdx}`, '/MediaId'];
    for (const at of [note, 'WindowsImageBackup', ...places.map((place) => `${backup}${place}`)])
      expect([at, readExtendedAttribute(path.join(root, at), 'system.ntfs_acl')]).toEqual([
        at,
        onlyAdministrators,
      ]);
    expect(JSON.parse(fs.readFileSync(path.join(root, note), 'utf8'))).toMatchObject({ manifest });
    expect(fs.readFileSync(path.join(root, 'PCS7/Anlage/Projekt.s7p'), 'utf8')).toBe('a project\n');
    return inodeOf(root, vhdx);
  });
  expect((await applied()).record.result.outcome).toBe('staged');
  expect(inVolume(disk, stationDisk.projects, (root) => inodeOf(root, vhdx))).toBe(seen);
});

const inodeOf = (root: string, file: string): number => fs.statSync(path.join(root, backup, file)).ino;

test('a link that lies in the place of the note leads nowhere', async () => {
  const target = inFolder('written-through');
  inVolume(disk, stationDisk.projects, (root) => {
    for (const name of [note, `${note}.new`]) fs.symlinkSync(target, path.join(root, name));
  });
  expect((await applied()).record.result.outcome).toBe('staged');
  expect(fs.existsSync(target)).toBe(false);
});

test('C: is the system volume, which is mounted already', async () => {
  const { record } = await applied({ systemState: { drive: 'C:' } });
  expect(record.result.outcome).toBe('staged');
  expect(onVolume(stationDisk.windows)).toEqual(wanted());
});

test('on an MBR disk a drive is known by disk signature and start', async () => {
  run('sgdisk', '--gpttombr=1:2:3:4', disk);
  const diskSignature = 0x1234abcd;
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(diskSignature);
  const fd = fs.openSync(disk, 'r+');
  fs.writeSync(fd, signature, 0, 4, 0x1b8);
  fs.closeSync(fd);
  const at = ({ startByte }: Place) => ({ diskSignature, startByte });
  const identity = { ...controllerIdentity, drives: { 'D:': at(stationDisk.projects) } };
  const hive = systemHive(identity, at(stationDisk.windows));
  await writeFiles(disk, stationDisk.windows, { [`${config}/SYSTEM`]: hive });
  expect((await applied()).record.result).toMatchObject({ outcome: 'staged' });
  expect(onVolume()).toEqual(wanted());
});

describe('the disk does not start', () => {
  async function expectRefused(why: RegExp, next: RegExp, more: Partial<StoredStateRun> = {}): Promise<void> {
    const { record, staged } = await applied(more);
    expect(record.result).toMatchObject({
      outcome: 'failed',
      sentence: expect.stringMatching(why),
      next: expect.stringMatching(next),
    });
    expect(staged).toBeUndefined();
    expect(bootMode()).toBeNull();
  }
  const otherPlace = /Name another drive .*or plug in a drive with the backup and set `from: backup`/;

  test('where somebody else’s backup of this computer lies there, in any case of its name; it is not touched', async () => {
    const foreign = { 'windowsimagebackup/dc-1/Backup 2025-01-01 000000/x.vhdx': Buffer.from('theirs') };
    await writeFiles(disk, stationDisk.projects, foreign);
    await expectRefused(/another .WindowsImageBackup.DC-1 on it already: no note says/, otherPlace);
    inVolume(disk, stationDisk.projects, (root) => {
      expect(fs.readdirSync(root)).not.toContain('WindowsImageBackup');
      expect(fs.readFileSync(path.join(root, Object.keys(foreign)[0] ?? ''), 'utf8')).toBe('theirs');
    });
  });

  test('where a backup was made into the copy of an earlier try', async () => {
    await applied();
    await writeFiles(disk, stationDisk.projects, {
      [`${backup}/Backup 2026-12-24 010000/y.vhdx`]: Buffer.from('newer'),
    });
    const { record } = await applied();
    expect(record.result).toMatchObject({
      sentence: expect.stringMatching(/y\.vhdx was put beside the copy/),
    });
    expect(onVolume()['Backup 2026-12-24 010000/y.vhdx']?.toString()).toBe('newer');
  });

  test('where there is too little room, before anything is copied', async () => {
    put('20261121T020000Z', { 'Backup 2026-11-21 020000/b.vhdx': noise('large', 50 << 20) });
    await expectRefused(/it has room for \d.* MiB, and 66\.\d MiB are needed/, otherPlace);
    inVolume(disk, stationDisk.projects, (root) => expect(fs.readdirSync(root)).toEqual(['PCS7']));
  });

  test('where no volume has the letter, or one of another disk', async () => {
    await expectRefused(/registry gives no volume the letter E:/, otherPlace, {
      systemState: { drive: 'E:' },
    });
    const drives = { 'D:': { diskSignature: 1, startByte: 1 << 20 } };
    const place = { diskGuid: stationDisk.diskGuid, partitionGuid: stationDisk.windows.guid };
    const hive = systemHive({ ...controllerIdentity, drives }, place);
    await writeFiles(disk, stationDisk.windows, { [`${config}/SYSTEM`]: hive });
    await expectRefused(/the volume D: is on none of the restored disks/, otherPlace);
  });

  test('where the store has another byte than was signed', async () => {
    const file = path.join(store, ...systemStatePath(parsedName(), manifest, { path: vhdx }));
    const bytes = fs.readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(1_000_000) ^ 1, 1_000_000);
    fs.writeFileSync(file, bytes);
    await expectRefused(
      /b2b0\.vhdx of system state DC-1@20261120T020000Z: it hashes to/,
      /Add the backup again/,
    );
  });

  test('where the manifest is signed by another, of another computer, or of another time than the plan’s', async () => {
    const list = /rekindle system-state list/;
    await expectRefused(/the preflight names none/, list, { chosen: undefined });
    const other = { station: controllerName, utc: '20261122T020000Z', computerName: 'DC-9' };
    const { name } = writeSystemState(store, captureKey, other);
    await expectRefused(/it is one of DC-9, the image is one of DC-1/, list, {
      chosen: formatImageRef(name),
    });
    await expectRefused(/that of 2026-11-20T02:00:00Z, the plan wants 11.19.2026/, list, {
      systemState: { version: '11/19/2026-02:00' },
    });
    fs.appendFileSync(
      path.join(store, 'system-states', controllerName, `${controllerName}_${utc}`, 'manifest.json'),
      ' ',
    );
    await expectRefused(/signature/, /./);
  });
});

test('killed in the middle of a file, with its ntfs-3g: the next try keeps what is right and finishes the rest', async () => {
  using server = await serveStallingStore(store, vhdx);
  const args = ['test/support/stored-state-child.ts', disk, server.url, inFolder('site.pub'), chosen];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  await Promise.race([server.stalled, once(child, 'exit')]);
  await vi.waitFor(() => expect(sizeOnMounts(disk, `${backup}/${vhdx}`)).toBeGreaterThan(1_000_000));
  await cutWindowsPower(child, disk);

  expect(bootMode()).toBeNull();
  const before = inVolume(disk, stationDisk.projects, (root) => {
    const half = fs.statSync(path.join(root, backup, vhdx), { throwIfNoEntry: false })?.size ?? 0;
    expect(half).toBeLessThan(3_000_000);
    return inodeOf(root, 'Catalog/GlobalCatalog');
  });
  const { result } = (await applied()).record;
  expect(result.outcome, JSON.stringify(result)).toBe('staged');
  expect(onVolume()).toEqual(wanted());
  expect(inVolume(disk, stationDisk.projects, (root) => inodeOf(root, 'Catalog/GlobalCatalog'))).toBe(before);
  expect(bootMode()).toBe(inRestoreMode);
});

test('its time is up while the store stands still: it has failed, and nothing is mounted any more', async () => {
  using server = await serveStallingStore(store, vhdx);
  const { record } = await applied({
    store: { source: { kind: 'http', url: server.url }, key: captureKey },
    timeoutSeconds: 2,
  });
  expect(record.result).toMatchObject({
    outcome: 'failed',
    sentence: 'Hook state was not ready after 2 s.',
  });
  expect(bootMode()).toBeNull();
  expect(run('losetup', '-j', disk)).toBe('');
});

test('a newer state than that of an earlier try takes its place; what is not the newer one’s is removed', async () => {
  await applied();
  put('20261121T020000Z', someBackup('20261121T020000Z', 1_000_000));
  expect((await applied()).record.result.outcome).toBe('staged');
  expect(onVolume()).toEqual(wanted());
  // The agent would take an empty one for a backup that was made there since.
  inVolume(disk, stationDisk.projects, (root) =>
    expect(fs.readdirSync(path.join(root, backup)).filter((name) => name.startsWith('Backup '))).toEqual([
      'Backup 2026-11-21 020000',
    ]),
  );
});

test('what lies on the drive after the copy is not what was signed: the hook has failed', async () => {
  const { record, staged } = await applied({
    whenCopied: () =>
      inVolume(disk, stationDisk.projects, (root) => {
        fs.writeFileSync(path.join(root, backup, 'MediaId'), '{b0c6}');
      }),
  });
  expect(record.result).toMatchObject({ outcome: 'failed', sentence: 'Read back, its disk lacks MediaId.' });
  expect(staged).toBeUndefined();
});

test('what is read back differs from what was signed: each difference has a name', async () => {
  await applied();
  const changes: Record<string, (root: string) => void> = {
    'the note rekindle-system-state.json': (root) => fs.writeFileSync(path.join(root, note), '{}'),
    [vhdx]: (root) => {
      const at = path.join(root, backup, vhdx);
      const bytes = fs.readFileSync(at);
      bytes.writeUInt8(bytes.readUInt8(2_000_000) ^ 1, 2_000_000);
      fs.writeFileSync(at, bytes);
    },
    MediaId: (root) => fs.rmSync(path.join(root, backup, 'MediaId')),
    'the absence of stray.txt': (root) => fs.writeFileSync(path.join(root, backup, 'stray.txt'), ''),
    'the lock of Catalog/GlobalCatalog': (root) =>
      writeExtendedAttribute(path.join(root, backup, 'Catalog/GlobalCatalog'), acl, everybody),
    [`the lock of ${backup}/Catalog`]: (root) =>
      writeExtendedAttribute(path.join(root, backup, 'Catalog'), acl, everybody),
  };
  using device = volumeDevice(disk, stationDisk.projects);
  const root = fs.mkdtempSync(inFolder('mounted-'));
  run('ntfs-3g', device.node, root);
  try {
    const wrong = () => copiedStateWrong(root, manifest, new AbortController().signal, () => {});
    expect(await wrong()).toEqual([]);
    for (const change of Object.values(changes)) change(root);
    expect((await wrong()).sort()).toEqual(Object.keys(changes).sort());
  } finally {
    run('umount', root);
  }
});

const acl = 'system.ntfs_acl';
/** O:SYG:SYD:(A;;FA;;;WD) */
const everybody = Buffer.from(
  [
    '01000480' + '30000000' + '3c000000' + '00000000' + '14000000',
    '02001c00' + '01000000',
    '00001400' + 'ff011f00' + '010100000000000100000000',
    '010100000000000512000000',
    '010100000000000512000000',
  ].join(''),
  'hex',
);
