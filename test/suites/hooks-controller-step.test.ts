import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ownReportEvidence } from '#contract/domain-files.ts';
import { stepExitCodes } from '#contract/first-boot.ts';
import type { SystemState } from '#contract/hook-kinds/domain-controller.ts';
import { parseOwnReport } from '#pxe-server/domain/gather-controller-proof.ts';
import { readStepAnswer } from '#pxe-server/hooks/step-answer.ts';
import { controllerStepFile, formatControllerStep } from '#runtime/hooks/domain/controller-step.ts';
import { lastResort, wbadminBackup } from '#test/support/controller-station.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { startWineStation, type WineStation } from '#test/support/wine-station.ts';

/**
 * The step of a restored controller, run by Wine's cmd.exe with Wine's registry. wevtutil, wbadmin and bcdedit are
 * stand-ins, which prove how their exit codes and outputs are obeyed and nothing of Microsoft's programs.
 */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const folder = makeTemporaryFolder();
const services = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\NTDS\\Parameters';
const safeBoot = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\SafeBoot\\Option';
let wine: WineStation;
let work: string;

beforeAll(async () => {
  wine = await startWineStation(folder.path);
  // Its server and services stay up between the calls, and hold none of their outputs open.
  wine.start();
  await vi.waitFor(() => expect(wine.programs().join('\n')).toContain('services.exe'), 30_000);
});
afterAll(async () => {
  await wine[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  work = path.join(wine.drive, 'work');
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(work);
  for (const key of [services, safeBoot]) await wine.wine('reg', 'delete', key, '/f');
});

function stage(state: SystemState, tools: Readonly<Record<string, readonly string[]>>): void {
  fs.writeFileSync(path.join(work, controllerStepFile), formatControllerStep(state));
  for (const [name, lines] of Object.entries(tools))
    fs.writeFileSync(path.join(work, `${name}.cmd`), ['@echo off', ...lines, ''].join('\r\n'));
}
const step = () => wine.wine('cmd', '/d', '/c', `cd /d C:\\work && ${controllerStepFile}`);
const setNumber = (key: string, name: string, value: number) =>
  wine.wine('reg', 'add', key, '/v', name, '/t', 'REG_DWORD', '/d', String(value), '/f');
const there = (name: string): boolean => fs.existsSync(path.join(work, name));

/** What the service makes of it. */
function answerOf(stdout: string) {
  const output = stdout.replaceAll('\r', '');
  const { result, evidence } = readStepAnswer({
    hook: 'state',
    result: { outcome: 'done', sentence: 'It ended with exit code 0.' },
    evidence: [{ name: 'output', value: output }],
    startedAt: '2026-11-27T20:00:00Z',
    seconds: 1,
  });
  return {
    result,
    own: parseOwnReport([...evidence, { name: ownReportEvidence.restoreCountBefore, value: '2' }]),
  };
}

/** Answers queries for one event; `/q:*[System[(EventID=` has 21 characters. */
const eventLog = (number: number, ...lines: string[]): string[] => [
  'set "query=%~3"',
  `if not "%query:~21,4%"=="${number}" exit /b 0`,
  ...lines,
  'echo Event',
];
const fromTheSecondLookOn = [
  'if not exist second.txt goto first',
  'goto then',
  ':first',
  'echo x>second.txt',
  'exit /b 0',
  ':then',
];

test('after a normal start: event 1109 is waited for, then the controller says what it has seen', async () => {
  stage(lastResort, { wevtutil: eventLog(1109, ...fromTheSecondLookOn) });
  await setNumber(services, 'DSA Previous Restore Count', 3);
  expect((await step()).code).toBe(stepExitCodes.retry);
  const { code, stdout } = await step();
  expect(code).toBe(0);
  const { result, own } = answerOf(stdout);
  expect(result).toMatchObject({ outcome: 'unverified' });
  expect(own).toEqual({
    report: { event1109: true, event2095: false, notWritable: false, restoreCount: 3 },
    restoreCountBefore: 2,
  });
});

test('a rollback is said at once, and an event that never comes after the last look', async () => {
  stage(lastResort, { wevtutil: eventLog(2095) });
  await setNumber(services, 'Dsa Not Writable', 4);
  expect(answerOf((await step()).stdout).own?.report).toEqual({
    ...{ event1109: false, event2095: true, notWritable: true, restoreCount: 0 },
  });
  stage(lastResort, { wevtutil: ['exit /b 0'] });
  fs.writeFileSync(path.join(work, 'looks.txt'), '39\r\n');
  expect(answerOf((await step()).stdout).own?.report).toMatchObject({ event1109: false, event2095: false });
});

test('in restore mode: wbadmin, then the mode is taken back and Windows started; the proof comes after that', async () => {
  stage(wbadminBackup, {
    wbadmin: ['echo %*>>called.txt'],
    bcdedit: ['echo %*>>called.txt'],
    wevtutil: ['echo Event'],
  });
  await setNumber(safeBoot, 'OptionValue', 3);
  expect((await step()).code).toBe(stepExitCodes.restartRetry);
  expect(fs.readFileSync(path.join(work, 'called.txt'), 'latin1').replaceAll('\r', '')).toBe(
    'start systemstaterecovery -version:11/20/2026-02:00 "-backupTarget:E:" -quiet\n/deletevalue safeboot\n',
  );
  await wine.wine('reg', 'delete', safeBoot, '/f');
  const { code, stdout } = await step();
  expect(code).toBe(0);
  expect(answerOf(stdout).own?.report).toMatchObject({ event1109: true });
  expect(fs.readFileSync(path.join(work, 'called.txt'), 'latin1').split('\n')).toHaveLength(3);
});

test('wbadmin fails, or it is no restore mode: the mode stays, and the step has failed', async () => {
  stage(wbadminBackup, { wbadmin: ['exit /b 2'], bcdedit: ['echo x>called.txt'], wevtutil: ['echo Event'] });
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
