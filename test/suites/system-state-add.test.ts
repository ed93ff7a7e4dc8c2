import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { listSystemStates } from '#images/stores/system-state-files.ts';
import { type AddOptions, addSystemState } from '#images/system-state/add-system-state.ts';
import { findBackup } from '#images/system-state/find-backup.ts';
import { clearLeftovers, removeSystemStates } from '#images/system-state/remove-system-states.ts';
import { verifySystemState } from '#images/system-state/verify-system-state.ts';
import { mountSmallDisk } from '#test/support/every-store.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { type BackupFiles, someBackup, writeFiles } from '#test/support/system-state-in-store.ts';

/** From wbadmin's folder to a system state in a store, and out of it again. */

const utc = '20261120T020000Z';
const backupPart = 'Backup 2026-11-20 020000';
const station = stationNameSchema.parse('DC1');
const signingKey = generateKeyPair();

let folder: ReturnType<typeof makeTemporaryFolder>;
let share: string;
let store: string;
beforeEach(() => {
  folder = makeTemporaryFolder();
  share = path.join(folder.path, 'wsb');
  store = path.join(folder.path, 'store');
  fs.mkdirSync(store);
});
afterEach(() => folder[Symbol.dispose]());

function backUp(files: BackupFiles = someBackup(utc), computer = 'DC1'): string {
  const computerFolder = path.join(share, 'WindowsImageBackup', computer);
  writeFiles(computerFolder, files);
  return computerFolder;
}
const add = async (more: Partial<AddOptions> = {}) =>
  addSystemState({ store, station, signingKey, backup: await findBackup(share, 'DC1'), ...more });
/** Everything of the station, hidden folders too. */
const inStore = () => {
  const own = path.join(store, 'system-states/DC1');
  return fs.existsSync(own) ? fs.readdirSync(own).sort() : [];
};

describe('finds a backup', () => {
  test.each([
    ['on the share', ''],
    ['in WindowsImageBackup', 'WindowsImageBackup'],
    ["in the computer's folder", 'WindowsImageBackup/DC1'],
  ])('%s', async (_, below) => {
    const own = backUp();
    backUp(someBackup('20261121T020000Z'), 'OTHER');
    expect(await findBackup(path.join(share, below), 'dc1')).toMatchObject({
      folder: own,
      computerName: 'DC1',
      utc,
      files: { length: 8 },
    });
  });

  test('one folder deeper, as Windows Server 2008 is said to write it', async () => {
    const files = Object.entries(someBackup(utc)).map(([file, bytes]) => [
      `SystemStateBackup/${file}`,
      bytes,
    ]);
    backUp(Object.fromEntries(files));
    expect((await findBackup(share, 'DC1')).utc).toBe(utc);
  });

  const part = (own: string, name = backupPart) => path.join(own, name);
  test.each<[string, (own: string) => void, string]>([
    ['of another computer', (own) => fs.renameSync(own, `${own}X`), 'there is DC1X'],
    [
      'that is none',
      (own) => fs.renameSync(path.dirname(own), `${share}/x`),
      'there is no WindowsImageBackup',
    ],
    ['that is not there', () => fs.rmSync(share, { recursive: true }), 'Looking for a backup in'],
    [
      'without a backup',
      (own) => fs.rmSync(part(own), { recursive: true }),
      'no folder "Backup YYYY-MM-DD HHMMSS"',
    ],
    [
      'with two backups',
      (own) => fs.cpSync(part(own), part(own, 'Backup 2026-11-21 020000'), { recursive: true }),
      'it has 2 backups (Backup 2026-11-20 020000, Backup 2026-11-21 020000)',
    ],
    [
      'of no moment',
      (own) => fs.renameSync(part(own), part(own, 'Backup 2026-13-20 020000')),
      'names no moment',
    ],
    [
      'of the future',
      (own) => fs.renameSync(part(own), part(own, 'Backup 2099-11-20 020000')),
      'is in the future',
    ],
    ['without a disk', (own) => fs.rmSync(`${part(own)}/b2b0.vhdx`), 'no .vhd or .vhdx'],
    ['with an empty disk', (own) => fs.truncateSync(`${part(own)}/b2b0.vhdx`), 'no .vhd or .vhdx'],
    ['without a catalog', (own) => fs.rmSync(`${own}/Catalog`, { recursive: true }), 'no folder Catalog'],
    [
      'with a link',
      (own) => fs.symlinkSync('/etc/passwd', `${own}/Catalog/x`),
      'neither a file nor a folder',
    ],
    ['with a pipe', (own) => void execFileSync('mkfifo', [`${own}/x`]), 'neither a file nor a folder'],
    ['with a name for other systems', (own) => fs.writeFileSync(`${own}/a?b`, ''), 'no files of that name'],
    [
      'with two names that are one',
      (own) => fs.writeFileSync(`${own}/mediaid`, ''),
      'another file of that name',
    ],
  ])('but refuses a folder %s', async (_, spoil, why) => {
    spoil(backUp());
    await expect(findBackup(share, 'DC1')).rejects.toMatchObject({
      code: expect.stringMatching(/^(usage|not-found)$/),
      message: expect.stringContaining(why),
      next: expect.any(String),
    });
  });

  test('but refuses the folder of another computer that is named itself', async () => {
    const own = backUp();
    await expect(findBackup(own, 'DC2')).rejects.toThrow('this is the folder of another computer');
  });
});

describe('add', () => {
  test('copies the folder exactly, and there is nothing before it is whole', async () => {
    const own = backUp();
    const phases = new Set<string>();
    const { name, manifest } = await add({
      onProgress: (phase) => {
        phases.add(phase);
        expect(inStore()).toEqual([expect.stringMatching(/^\.publishing-/)]);
      },
    });
    expect([...phases]).toEqual(['copying', 'checking']);
    expect(inStore()).toEqual([`DC1_${utc}`]);
    const copy = path.join(store, 'system-states/DC1', `DC1_${utc}`);
    execFileSync('diff', ['-r', own, path.join(copy, 'WindowsImageBackup/DC1')]);
    expect(fs.statSync(copy).mode & 0o777).toBe(0o755);
    expect(manifest).toMatchObject({ takenAt: '2026-11-20T02:00:00Z', version: '11/20/2026-02:00' });
    const ref = { kind: 'directory', path: store } as const;
    expect(await verifySystemState(ref, name, signingKey)).toEqual({ name, manifest, problems: [] });
    await expect(add()).rejects.toMatchObject({ code: 'usage', message: /this backup is there already/ });
  });

  test.each<[string, (own: string) => void]>([
    ['a file that grows', (own) => fs.appendFileSync(`${own}/${backupPart}/b2b0.vhdx`, 'x')],
    ['a file that is written to', (own) => fs.utimesSync(`${own}/${backupPart}/b2b0.vhdx`, 1, 1)],
    ['a file that was copied already', (own) => fs.appendFileSync(`${own}/Catalog/GlobalCatalog`, 'x')],
    ['a new file', (own) => fs.writeFileSync(`${own}/Catalog/new`, '')],
    ['a file that goes', (own) => fs.rmSync(`${own}/MediaId`)],
  ])('%s meanwhile: refused, and nothing is left', async (_, change) => {
    const own = backUp();
    let changed = false;
    const onProgress = (_: string, done: number): void => {
      // In the middle of the disk, which is read a piece at a time.
      if (changed || done < 1_500_000) return;
      changed = true;
      change(own);
    };
    fs.writeFileSync(`${own}/${backupPart}/b2b0.vhdx`, Buffer.alloc(4_000_000, 7));
    await expect(add({ onProgress })).rejects.toMatchObject({
      code: expect.stringMatching(/^usage$/),
      message: expect.stringContaining('it was changed meanwhile'),
    });
    expect(changed).toBe(true);
    expect(inStore()).toEqual([]);
  });

  test('a file that grows all the time is not followed', async () => {
    const disk = `${backUp()}/${backupPart}/b2b0.vhdx`;
    let pieces = 0;
    const onProgress = (): void => {
      if (pieces++ < 50) fs.appendFileSync(disk, Buffer.alloc(1 << 20));
    };
    await expect(add({ onProgress })).rejects.toThrow('it was changed meanwhile');
    expect(pieces).toBeLessThan(10);
  });

  test('interrupted in either phase: nothing is left', async () => {
    backUp();
    for (const at of ['copying', 'checking']) {
      const stop = new AbortController();
      const onProgress = (phase: string): void => (phase === at ? stop.abort() : undefined);
      await expect(add({ onProgress, signal: stop.signal })).rejects.toMatchObject({ code: 'interrupted' });
      expect(inStore()).toEqual([]);
    }
  });

  test('what does not reach the medium as it was is found before there is a system state', async () => {
    backUp();
    const onProgress = (phase: string): void => {
      if (phase !== 'checking') return;
      const [hidden = ''] = inStore();
      const disk = `${store}/system-states/DC1/${hidden}/WindowsImageBackup/DC1/MediaId`;
      fs.writeFileSync(disk, '{B0C5}');
    };
    await expect(add({ onProgress })).rejects.toMatchObject({ code: 'verification-failed' });
    expect(inStore()).toEqual([]);
  });

  test('a store that becomes full says so', async () => {
    backUp(someBackup(utc, 30 << 20));
    using disk = mountSmallDisk(folder.path, 24);
    await expect(add({ store: disk.path })).rejects.toMatchObject({
      code: 'store-unreachable',
      cause: { code: 'ENOSPC' },
    });
    expect(fs.readdirSync(path.join(disk.path, 'system-states/DC1'))).toEqual([]);
  });
});

describe('remove', () => {
  test('gives the name back while it is needed', async () => {
    backUp();
    const { name } = await add();
    let seen: string[] = [];
    const isNeeded = () => {
      seen = inStore();
      return true;
    };
    expect(await removeSystemStates(store, [name], isNeeded)).toBe(false);
    // Hidden before the question, so that nobody begins with it afterwards.
    expect(seen).toEqual([expect.stringMatching(/^\.removed-/)]);
    expect(await listSystemStates({ kind: 'directory', path: store })).toEqual([name]);
    expect(await removeSystemStates(store, [name], () => false)).toBe(true);
    expect(inStore()).toEqual([]);
  });

  test('gives the name back where one of several cannot be hidden, or nobody can say whether it is needed', async () => {
    backUp();
    const { name } = await add();
    const gone = { ...name, utc: '20261121T020000Z' };
    await expect(removeSystemStates(store, [name, gone], () => false)).rejects.toMatchObject({
      message: expect.stringContaining('DC1@20261121T020000Z'),
    });
    expect(inStore()).toEqual([`DC1_${utc}`]);
    const locked = () => {
      throw new Error('database is locked');
    };
    await expect(removeSystemStates(store, [name], locked)).rejects.toMatchObject({
      cause: { message: 'database is locked' },
    });
    expect(inStore()).toEqual([`DC1_${utc}`]);
  });

  test('what was left by a kill goes a day later, and nothing else', async () => {
    backUp();
    await add();
    const left = (name: string) => path.join(store, 'system-states/DC1', name);
    for (const name of ['.publishing-a', '.removed-b', '.snapshot']) fs.mkdirSync(left(name));
    await clearLeftovers(store, station);
    expect(inStore()).toHaveLength(4);
    await clearLeftovers(store, station, Date.now() + 25 * 3_600_000);
    expect(inStore()).toEqual(['.snapshot', `DC1_${utc}`]);
  });
});
