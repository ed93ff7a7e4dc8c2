import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stepExitCodes } from '#contract/first-boot.ts';
import {
  controllerProgramFile,
  controllerSettingsFile,
  controllerStepFile,
  formatControllerSettings,
  formatControllerStep,
} from '#runtime/hooks/domain/controller-step.ts';
import { formatLiftScript, holdPatch, liftScriptFile } from '#runtime/hooks/domain/held-services.ts';
import type { WbadminRecovery } from '#runtime/hooks/domain/wbadmin-recovery.ts';
import {
  answerOf,
  controllerProgramWithStandIn,
  eventLogStandIn,
  formatEvent,
} from '#test/support/controller-program.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { startRunningWineStation, type WineStation } from '#test/support/wine-station.ts';

/**
 * The step of a restored controller, run by Wine's cmd.exe and script host with Wine's registry. wevtutil, wbadmin, bcdedit,
 * dfsrdiag, repadmin and the directory are stand-ins, which prove how their answers are obeyed and nothing of Microsoft's.
 */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 90_000 });

const folder = makeTemporaryFolder();
const hklm = 'HKLM\\SYSTEM\\CurrentControlSet';
const parameters = `${hklm}\\Services\\NTDS\\Parameters`;
const safeBoot = `${hklm}\\Control\\SafeBoot\\Option`;
const [imageId, otherId, freshId] = ['1', '2', '3'].map(
  (digit) => `${digit}0000000-aaaa-4bbb-8ccc-000000000000`,
);
const network = [{ service: 'e1iexpress', start: 3 }];
const dfsr = [{ service: 'DFSR', start: 2 }];
const { retry, restartRetry } = stepExitCodes;
const backup: WbadminRecovery = { version: '11/20/2026-02:00', target: 'E:', copied: undefined };
let wine: WineStation;
let work: string;
let program: string;

beforeAll(async () => {
  program = await controllerProgramWithStandIn(folder.path);
  wine = await startRunningWineStation(folder.path);
});
afterAll(async () => {
  await wine[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  work = wine.work;
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(work);
  fs.rmSync(leftScript(), { force: true });
  for (const key of [parameters, safeBoot, `${hklm}\\Control\\RekindleHeld`])
    await wine.wine('reg', 'delete', key, '/f');
});

const leftScript = () => path.join(wine.drive, 'windows', `rekindle-${liftScriptFile}`);
const put = (name: string, ...lines: string[]) =>
  fs.writeFileSync(path.join(work, name), [...lines, ''].join('\r\n'));
const there = (name: string): boolean => fs.existsSync(path.join(work, name));
const called = (): string[] =>
  there('called.txt')
    ? fs
        .readFileSync(path.join(work, 'called.txt'), 'latin1')
        .split('\r\n')
        .map((line) => line.trim())
        .filter(Boolean)
    : [];

/** Stages the step as the runtime does, with what is held put into Wine's registry by the same patch. */
async function stage(
  recovery: WbadminRecovery | undefined,
  more: Partial<Parameters<typeof formatControllerSettings>[0]> = {},
): Promise<void> {
  const settings = { restoreCountBefore: 2, invocationId: imageId, sysvol: undefined, network: [], dfsr: [] };
  const all = {
    ...settings,
    ...(recovery === undefined ? {} : { restoreCountBefore: undefined }),
    ...more,
  };
  put(controllerStepFile, formatControllerStep(recovery));
  put(controllerSettingsFile, formatControllerSettings(all).replace('PauseSeconds=45', 'PauseSeconds=0'));
  put(controllerProgramFile, program);
  put(liftScriptFile, formatLiftScript([...all.network, ...all.dfsr]));
  fs.writeFileSync(path.join(work, 'directory.txt'), 'TRUE');
  put('wevtutil.cmd', ...eventLogStandIn);
  for (const tool of ['dfsrdiag', 'repadmin']) put(`${tool}.cmd`, `@echo ${tool} %*>>called.txt`);
  await wine.changeRegistry(holdPatch('CurrentControlSet', [...all.network, ...all.dfsr]));
}
const step = () => wine.inWork(controllerStepFile);
const setNumber = (key: string, name: string, value: number) =>
  wine.wine('reg', 'add', key, '/v', name, '/t', 'REG_DWORD', '/d', String(value), '/f');
const startOf = async (service: string): Promise<number> => {
  const { stdout } = await wine.wine('reg', 'query', `${hklm}\\Services\\${service}`, '/v', 'Start');
  return Number(/0x([0-9a-f]+)/.exec(stdout)?.[1]);
};
const log = (number: number, record: number, ...data: (string | undefined)[]) =>
  put(`log-${number}.xml`, formatEvent(number, record, data));

/** Windows has obeyed: whatever its clock says, the event is of this restore and not of one in the image. */
async function renewed(): Promise<void> {
  log(1109, 700, imageId, freshId);
  await setNumber(parameters, 'DSA Previous Restore Count', 3);
}

describe('the proof', () => {
  test('event 1109 of an earlier restore is none of this one; the controller says what it has seen', async () => {
    await stage(undefined);
    log(1109, 600, otherId, imageId);
    await setNumber(parameters, 'DSA Previous Restore Count', 2);
    expect((await step()).code).toBe(retry);
    // The manifest may name an id that was given before: Windows has to have counted as well.
    log(1109, 610, imageId, otherId);
    expect((await step()).code).toBe(retry);
    await renewed();
    // Of a rollback before the image was taken.
    log(2095, 650);
    const { code, stdout } = await step();
    expect(code).toBe(0);
    const { result, own } = answerOf(stdout);
    expect(result).toMatchObject({ outcome: 'unverified' });
    expect(own).toEqual({
      report: {
        ...{ event1109: true, event2095: false, notWritable: false, restoreCount: 3 },
        ...{ invocationId: freshId?.toUpperCase(), sysvol: 'not-asked' },
      },
      restoreCountBefore: 2,
    });
    log(2095, 701);
    expect(answerOf((await step()).stdout).own?.report).toMatchObject({ event2095: true });
  });

  test('a rollback is said at once: it stays off the network, and a person finds the way out', async () => {
    await stage(undefined, { sysvol: 'DFSR', network, dfsr });
    log(2095, 800);
    await setNumber(parameters, 'Dsa Not Writable', 4);
    const { code, stdout } = await step();
    expect(code).toBe(0);
    expect(answerOf(stdout).own?.report).toEqual({
      ...{ event1109: false, event2095: true, notWritable: true, restoreCount: 0 },
      ...{ sysvol: 'failed', quarantineKept: true },
    });
    expect(await startOf('e1iexpress')).toBe(4);
    expect(await startOf('DFSR')).toBe(4);
    expect(called()).toEqual([]);
    await wine.wine('cmd', '/d', '/c', `C:\\windows\\rekindle-${liftScriptFile}`);
    expect(await startOf('e1iexpress')).toBe(3);
    expect(await startOf('DFSR')).toBe(2);
  });

  test('an event that never comes: after the last look the same', async () => {
    await stage(undefined, { sysvol: 'DFSR', network, dfsr });
    fs.writeFileSync(path.join(work, 'looks'), '.'.repeat(39));
    const { stdout } = await step();
    expect(answerOf(stdout).own?.report).toMatchObject({ event1109: false, quarantineKept: true });
    expect(answerOf(stdout).journal).toMatch(/stays off the network/);
    expect(await startOf('e1iexpress')).toBe(4);
  });
});

describe('with DFSR', () => {
  test('no network before event 1109; the subscription off before DFSR starts, on after 4114; SYSVOL there with 4604', async () => {
    await stage(undefined, { sysvol: 'DFSR', network, dfsr });
    log(4114, 10);
    log(4604, 11);
    expect((await step()).code).toBe(retry);
    expect(await startOf('e1iexpress')).toBe(4);
    await renewed();
    expect((await step()).code).toBe(restartRetry);
    expect(called()).toEqual([]);
    expect([await startOf('e1iexpress'), await startOf('DFSR')]).toEqual([3, 4]);
    // A power cut took what the registry had not written yet; the agent's file was.
    await setNumber(`${hklm}\\Services\\e1iexpress`, 'Start', 4);
    expect((await step()).code).toBe(restartRetry);
    expect(await startOf('e1iexpress')).toBe(3);
    expect(called()).toEqual([]);
    // Windows has started again, with a network and without DFSR.
    expect((await step()).code).toBe(restartRetry);
    expect(called()).toEqual(['msDFSR-Enabled FALSE']);
    expect(await startOf('DFSR')).toBe(2);
    expect(fs.existsSync(leftScript())).toBe(true);
    // And once more, with DFSR.
    expect((await step()).code).toBe(retry);
    expect(called()).toEqual(['msDFSR-Enabled FALSE', 'dfsrdiag pollad']);
    log(4114, 20);
    expect((await step()).code).toBe(retry);
    expect(called().slice(2)).toEqual([
      'dfsrdiag pollad',
      'msDFSR-Enabled TRUE',
      'repadmin /syncall /AdeP',
      'dfsrdiag pollad',
    ]);
    expect((await step()).code).toBe(retry);
    log(4604, 21);
    const { code, stdout } = await step();
    expect(code).toBe(0);
    const { own, journal } = answerOf(stdout);
    expect(own?.report).toMatchObject({ event1109: true, sysvol: 'from-partner' });
    expect(own?.report).not.toHaveProperty('quarantineKept');
    expect(stdout).toContain('"quarantine","value":"lifted"');
    expect(journal).toMatch(
      /event 1109: invocationId 1.* became 3[\s\S]*e1iexpress starts again[\s\S]*event 4604/,
    );
    expect((await wine.wine('reg', 'query', `${hklm}\\Control\\RekindleHeld`)).code).not.toBe(0);
    expect(fs.existsSync(leftScript())).toBe(false);
  });

  test('a directory that is late keeps only DFSR back; one that never answers fails SYSVOL alone', async () => {
    await stage(undefined, { sysvol: 'DFSR', network, dfsr });
    put('directory-away', '');
    await renewed();
    expect((await step()).code).toBe(restartRetry);
    expect([await startOf('e1iexpress'), await startOf('DFSR')]).toEqual([3, 4]);
    expect((await step()).code).toBe(retry);
    fs.rmSync(path.join(work, 'directory-away'));
    expect((await step()).code).toBe(restartRetry);
    expect(await startOf('DFSR')).toBe(2);
    for (const name of ['sysvol-off', 'released-sysvol']) fs.rmSync(path.join(work, name));
    await setNumber(`${hklm}\\Services\\DFSR`, 'Start', 4);
    put('directory-away', '');
    fs.writeFileSync(path.join(work, 'looks-directory'), '.'.repeat(9));
    expect(answerOf((await step()).stdout).own?.report).toMatchObject({ sysvol: 'failed', event1109: true });
    expect(await startOf('DFSR')).toBe(4);
  });

  test('a driver that something else switches off again is not given back for ever, and is called kept', async () => {
    await stage(undefined, { network });
    await renewed();
    for (let release = 1; release <= 3; release += 1) {
      expect((await step()).code).toBe(restartRetry);
      await setNumber(`${hklm}\\Services\\e1iexpress`, 'Start', 4);
    }
    const { code, stdout } = await step();
    expect(code).toBe(0);
    expect(answerOf(stdout).own?.report).toMatchObject({ quarantineKept: true });
    expect(fs.existsSync(leftScript())).toBe(true);
  });

  test('event 4114 never comes: the subscription is on again, and SYSVOL has failed', async () => {
    await stage(undefined, { sysvol: 'DFSR', dfsr });
    await renewed();
    expect((await step()).code).toBe(restartRetry);
    fs.writeFileSync(path.join(work, 'looks-4114'), '.'.repeat(9));
    const { code, stdout } = await step();
    expect(code).toBe(0);
    expect(answerOf(stdout).own?.report).toMatchObject({ sysvol: 'failed' });
    expect(fs.readFileSync(path.join(work, 'directory.txt'), 'latin1')).toBe('TRUE');
  });
});

test('with FRS: event 13516 of the image is none; what has not come after the last look is pending', async () => {
  await stage(undefined, { sysvol: 'FRS' });
  log(13516, 30);
  await renewed();
  expect((await step()).code).toBe(retry);
  fs.writeFileSync(path.join(work, 'looks-13516'), '.'.repeat(39));
  expect(answerOf((await step()).stdout).own?.report).toMatchObject({ sysvol: 'pending' });
  log(13516, 31);
  expect(answerOf((await step()).stdout).own?.report).toMatchObject({ sysvol: 'from-partner' });
});

describe('with a backup', () => {
  test('in restore mode: wbadmin, then the mode is taken back and Windows started; the proof comes after that', async () => {
    await stage(backup);
    for (const tool of ['wbadmin', 'bcdedit']) put(`${tool}.cmd`, '@echo %*>>called.txt');
    // The backup may be of a directory that had another invocationId than the image's.
    log(1109, 5, otherId, freshId);
    await setNumber(safeBoot, 'OptionValue', 3);
    expect((await step()).code).toBe(restartRetry);
    expect(called()).toEqual([
      // The name that Wine has taken from this computer.
      expect.stringMatching(
        /^start systemstaterecovery -version:11\/20\/2026-02:00 "-backupTarget:E:" -machine:[^ %]+ -quiet$/,
      ),
      '/deletevalue safeboot',
    ]);
    await wine.wine('reg', 'delete', safeBoot, '/f');
    // The count of the backup's registry.
    await setNumber(parameters, 'DSA Previous Restore Count', 1);
    const { code, stdout } = await step();
    expect(code).toBe(0);
    expect(answerOf(stdout).own?.report).toMatchObject({ event1109: true, sysvol: 'not-asked' });
    expect(called()).toHaveLength(2);
  });

  test('a boot store that has no restore mode any more starts Windows; one that keeps it is said', async () => {
    await stage(backup);
    put('wbadmin.cmd', '@echo off');
    const bcdedit = (...entry: string[]) => {
      const lines = entry.map((line) => `@echo ${line}`);
      put('bcdedit.cmd', '@if "%1"=="/deletevalue" exit /b 1', ...lines, '@exit /b 0');
    };
    await setNumber(safeBoot, 'OptionValue', 3);
    bcdedit('identifier {current}', 'safeboot DsRepair');
    expect(await step()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('could not be taken back'),
    });
    put('bcdedit.cmd', '@exit /b 1');
    expect((await step()).code).toBe(1);
    bcdedit('identifier {current}', 'path \\Windows\\system32\\winload.efi');
    expect((await step()).code).toBe(restartRetry);
  });

  test('wbadmin fails, or it is no restore mode: the mode stays, and the step has failed', async () => {
    await stage(backup);
    put('wbadmin.cmd', '@exit /b 2');
    put('bcdedit.cmd', '@echo x>called.txt');
    const normal = await step();
    expect(normal).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('no directory services restore mode'),
    });
    await setNumber(safeBoot, 'OptionValue', 3);
    const failed = await step();
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('wbadmin ended with') });
    expect(there('called.txt')).toBe(false);
    expect(there('recovered.txt')).toBe(false);
  });
});

describe('with a copy of a backup from the store', () => {
  const copy = { ...backup, target: 'C:', copied: { computer: 'DC-1', backup: 'Backup 2026-11-20 020000' } };
  const onDrive = (...parts: string[]) => path.join(wine.drive, ...parts);
  const folder = () => onDrive('WindowsImageBackup', 'DC-1');
  const note = () => onDrive('rekindle-system-state.json');
  beforeEach(() => {
    for (const name of ['WindowsImageBackup', 'rekindle-system-state.json'])
      fs.rmSync(onDrive(name), { recursive: true, force: true });
    fs.mkdirSync(path.join(folder(), 'Backup 2026-11-20 020000'), { recursive: true });
    fs.writeFileSync(path.join(folder(), 'Backup 2026-11-20 020000', 'a.vhdx'), 'state');
    fs.writeFileSync(note(), '{}');
  });

  /** wbadmin and bcdedit end well; Windows has started normally after them. */
  async function recover(): Promise<void> {
    await stage(copy);
    for (const tool of ['wbadmin', 'bcdedit']) put(`${tool}.cmd`, '@echo %*>>called.txt');
    log(1109, 5, otherId, freshId);
    await setNumber(safeBoot, 'OptionValue', 3);
    expect((await step()).code).toBe(restartRetry);
    expect(called()[0]).toContain('"-backupTarget:C:"');
    expect(fs.existsSync(note())).toBe(true);
    expect(fs.existsSync(folder())).toBe(true);
    await wine.wine('reg', 'delete', safeBoot, '/f');
    await setNumber(parameters, 'DSA Previous Restore Count', 1);
  }

  test('it is removed after the first normal start, with its note and the folder that is empty then', async () => {
    await recover();
    const { code, stdout } = await step();
    expect(code).toBe(0);
    expect(stdout).toContain('The copied system state was removed from C:');
    expect(answerOf(stdout).own?.report).toMatchObject({ event1109: true });
    expect(fs.existsSync(note())).toBe(false);
    expect(fs.existsSync(onDrive('WindowsImageBackup'))).toBe(false);
    expect((await step()).stdout).not.toContain('system state');
  });

  test('another computer’s backup beside it stays', async () => {
    fs.mkdirSync(onDrive('WindowsImageBackup', 'OS-SRV-1A'));
    await recover();
    expect((await step()).code).toBe(0);
    expect(fs.readdirSync(onDrive('WindowsImageBackup'))).toEqual(['OS-SRV-1A']);
  });

  test.each(['', 'SystemStateBackup'])(
    'a backup that was made into the same folder since then (below "%s") stays, with everything beside it',
    async (deeper) => {
      await recover();
      const newer = path.join(folder(), deeper, 'Backup 2026-12-24 010000');
      fs.mkdirSync(newer, { recursive: true });
      const { code, stdout } = await step();
      expect(code).toBe(0);
      expect(stdout).toMatch(/DC-1 has a newer backup than the copied system state, and was left as it is/);
      expect(fs.existsSync(newer)).toBe(true);
      expect(fs.existsSync(path.join(folder(), 'Backup 2026-11-20 020000', 'a.vhdx'))).toBe(true);
      fs.rmdirSync(newer);
      expect((await step()).stdout).toContain('was removed from C:');
    },
  );

  test('what cannot be removed is said, and its drive may have another letter now; the step goes on', async () => {
    await recover();
    fs.rmSync(note());
    const elsewhere = await step();
    expect(elsewhere).toMatchObject({ code: 0, stdout: expect.stringContaining('look for rekindle-system') });
    expect(fs.existsSync(folder())).toBe(true);
    // A folder in the place of the note: `del` leaves it.
    fs.mkdirSync(note());
    fs.writeFileSync(path.join(note(), 'x'), '');
    const { code, stdout } = await step();
    expect(code).toBe(0);
    expect(stdout).toMatch(/could not be removed from C: - remove C:.WindowsImageBackup.DC-1 and .* by hand/);
    expect(answerOf(stdout).own?.report).toMatchObject({ event1109: true });
  });

  test('while wbadmin fails it is kept', async () => {
    await stage(copy);
    put('wbadmin.cmd', '@exit /b 2');
    await setNumber(safeBoot, 'OptionValue', 3);
    expect((await step()).code).toBe(1);
    await wine.wine('reg', 'delete', safeBoot, '/f');
    expect((await step()).code).toBe(1);
    expect(fs.existsSync(note())).toBe(true);
    expect(fs.existsSync(path.join(folder(), 'Backup 2026-11-20 020000', 'a.vhdx'))).toBe(true);
  });
});
