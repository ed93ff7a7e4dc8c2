import { once } from 'node:events';
import fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import express from 'express';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { offlineJoinFile } from '#contract/domain-files.ts';
import type { FirstBootPlan } from '#contract/first-boot.ts';
import { createConfirmations } from '#pxe-server/hooks/first-boot-confirmations.ts';
import { addFirstBootRoute } from '#pxe-server/http/first-boot-route.ts';
import { stageFirstBoot } from '#runtime/first-boot/stage-first-boot.ts';
import type { StagedFile } from '#runtime/first-boot/staged-files.ts';
import { windowsRejoinFile, windowsRejoinScript } from '#runtime/hooks/domain/rejoin-script.ts';
import { clearScriptFile, clearStepFile, formatSqlcmdStep } from '#runtime/hooks/sql/sqlcmd-step.ts';
import { isLocked } from '#runtime/hooks/windows/volume/locked-folder.ts';
import {
  buildWindowsStation,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { type ApiService, startApiService } from '#test/support/api-service.ts';
import { openReportedJob, type ReportedJob } from '#test/support/reported-job.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { config, hiveSays, inVolume, openWindowsDisk } from '#test/support/windows-disk.ts';
import { startWineStation, type WineStation } from '#test/support/wine-station.ts';

/**
 * The Windows agent from its staging to the end of its service. It is staged into a Windows-shaped disk; what lies
 * there is given to Wine, whose service manager starts the real wrapper by the same registry entries; the reports go
 * to the real service. djoin, nltest and sqlcmd are stand-ins of the test's, which prove how their exit codes are obeyed and
 * nothing of Microsoft's programs. Tests follow each other.
 */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const folder = makeTemporaryFolder();
const disk = path.join(folder.path, 'station.img');
const secret = 'the offline-join blob';
let service: ApiService;
let http: Server;
let port = 0;
let wine: WineStation;
let job: ReportedJob;
let plan: FirstBootPlan;

const site = (id: string, after: string[] = []) => ({
  ...{ id, after, kind: 'site', title: id, executable: `${id}.cmd`, phases: ['first-boot'] },
});
const batch = (name: string, ...lines: string[]): StagedFile => ({
  name,
  bytes: Buffer.from(['@echo off', ...lines, ''].join('\r\n')),
  executable: true,
});
const files: StagedFile[] = [
  batch(windowsRejoinFile, windowsRejoinScript.replace('@echo off', '')),
  { name: offlineJoinFile, bytes: Buffer.from(secret), executable: false },
  batch('djoin.cmd', 'echo djoin %*', `if not exist ${offlineJoinFile} exit /b 7`),
  batch(clearStepFile, formatSqlcmdStep('WINCC').replace('@echo off', '')),
  batch(clearScriptFile, 'not read by the stand-in'),
  batch('nltest.cmd', 'echo nltest %*', 'if exist asked exit /b 0', 'echo x>asked', 'exit /b 1'),
  batch(
    'killed.cmd',
    'if exist cut goto again',
    'if exist begun goto second',
    'echo x>begun',
    'ping -n 62 127.0.0.1',
    ':second',
    'echo x>cut',
    'ping -n 63 127.0.0.1',
    ':again',
    'echo gone on',
  ),
];

/** In PATH as the real one is: first the instance is not up, then one database is left. */
const sqlcmd = batch(
  'sqlcmd.cmd',
  'if not exist up goto down',
  'if "%7"=="-Q" exit /b 0',
  'echo database DETACH done 0 CC_OS_1R',
  'echo message Database is in use.',
  'echo database DETACH failed 3703 CC_OS_1',
  'exit /b 1',
  ':down',
  'echo up>up',
  'echo Sqlcmd: Error: no connection',
  'exit /b 1',
).bytes;

async function listen(): Promise<void> {
  const app = express();
  addFirstBootRoute(app, service.context, createConfirmations(service.context));
  http = createServer(app).listen(port, '127.0.0.1');
  await once(http, 'listening');
  port = (http.address() as AddressInfo).port;
}

beforeAll(async () => {
  [service, wine] = await Promise.all([startApiService(), startWineStation(folder.path)]);
  await listen();
  job = await openReportedJob(service.context, 'OS-SRV-1A', [
    site('domain'),
    { id: 'sql', kind: 'sql-management-data', pcs7: 'V8.1' },
    site('update'),
    site('hangs'),
    site('waits', ['hangs']),
    site('killed'),
    site('last'),
  ]);
  const step = (hook: string, command: string, more: Partial<FirstBootPlan['steps'][number]> = {}) => ({
    ...{
      hook,
      title: hook,
      command,
      after: [],
      secretFiles: [],
      timeoutSeconds: 60,
      retrySeconds: 1,
      tries: 3,
    },
    ...more,
  });
  plan = {
    formatVersion: 1,
    jobId: job.jobId,
    station: 'OS-SRV-1A',
    servers: ['http://127.0.0.1:9', `http://127.0.0.1:${port}`],
    giveUpHours: 1,
    steps: [
      step('domain', `${windowsRejoinFile} plant.example`, { secretFiles: [offlineJoinFile] }),
      step('sql', clearStepFile),
      step('update', 'exit /b 3010'),
      step('hangs', 'ping -n 61 127.0.0.1', { timeoutSeconds: 2 }),
      step('waits', 'echo never', { after: ['hangs'] }),
      step('killed', 'killed.cmd'),
      step('last', 'echo "Ende" & exit /b 252'),
    ],
  };
});
afterAll(async () => {
  http.close();
  await wine[Symbol.asyncDispose]();
  await service.close();
  folder[Symbol.dispose]();
});

const log = () => {
  const own = path.join(wine.agentFolder, 'log');
  const left = path.join(wine.drive, 'windows', 'rekindle-first-boot.log');
  return [own, left].map((file) => (fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : '')).join('');
};

async function until(what: string, is: () => boolean, seconds = 40): Promise<void> {
  for (let tries = 0; tries < seconds * 10; tries += 1) {
    if (is()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not come: ${log()}`);
}

const running = (line: RegExp) => wine.programs().filter((program) => line.test(program));

test('is staged into an offline Windows: service in its registry, files for administrators only, twice like once', async () => {
  const station = windowsStation();
  const shape = Buffer.from('a program\n');
  await buildWindowsStation(disk, {
    ...station,
    files: { ...station.files, windows: { ...station.files.windows, 'Windows/SysWOW64/cmd.exe': shape } },
  });
  for (const _ of ['once', 'twice']) {
    await using windows = await openWindowsDisk(disk);
    await stageFirstBoot(windows.system, { plan, key: job.key, files }, readFirstBootFile);
  }
  const staged = path.join(folder.path, 'staged');
  const hive = inVolume(disk, stationDisk.windows, (root) => {
    const agent = path.join(root, 'Windows/Rekindle');
    for (const name of [
      '',
      'agent.js',
      'key',
      'work',
      `work/${offlineJoinFile}`,
      'steps/01-domain/command.cmd',
    ])
      expect(isLocked(path.join(agent, name)), name).toBe(true);
    fs.cpSync(agent, staged, { recursive: true });
    return fs.readFileSync(path.join(root, config, 'SYSTEM'));
  });
  const key = 'ControlSet001\\Services\\RekindleFirstBoot';
  expect(hiveSays(hive, key, 'ObjectName')).toBe('LocalSystem');
  expect(hiveSays(hive, key, 'ImagePath')).toBe('%SystemRoot%\\Rekindle\\nssm.exe');
  expect(hiveSays(hive, `${key}\\Parameters`, 'Application')).toBe('%SystemRoot%\\System32\\cscript.exe');
  expect(hiveSays(hive, 'ControlSet001\\Control\\SafeBoot\\Minimal\\RekindleFirstBoot', '@')).toBe('Service');
  expect(fs.readFileSync(path.join(staged, 'nssm.exe'))).toEqual(
    await readFirstBootFile('windows/nssm64.exe'),
  );
  await wine.install(staged);
  fs.writeFileSync(path.join(wine.drive, 'windows', 'sqlcmd.cmd'), sqlcmd);
});

test('first start: the blob is used once and erased, and Windows is restarted', async () => {
  wine.start();
  await until('the restart', () => /restarts Windows/.test(log()));
  expect(fs.existsSync(path.join(wine.agentFolder, 'work', offlineJoinFile))).toBe(false);
  expect(log()).toMatch(/domain: wants a restart, and another try/);
  expect(log()).not.toMatch(/update/);
  expect(job.report().state).toBe('awaiting-first-boot');
});

test('the agent that comes back before the restart asks for it again, and does nothing else', async () => {
  // Started while the wrapper still ends, it would count as running.
  const query = () => wine.wine('sc', 'query', 'RekindleFirstBoot');
  await vi.waitFor(async () => expect((await query()).stdout).toMatch(/STOPPED/), 40_000);
  await wine.wine('net', 'start', 'RekindleFirstBoot');
  await until('the second request', () => log().split('restarts Windows').length === 3);
  expect(log()).not.toMatch(/try 2/);
});

test('second start: retry without a restart, then an installer’s restart code', async () => {
  await wine.cutPower();
  wine.start();
  await until(
    'the restart',
    () => /update: done/.test(log()) && log().split('restarts Windows').length === 4,
  );
  expect(log()).toMatch(/domain: try 3\r\n.*domain: done: nltest \/sc_verify:plant\.example/);
  await until('its report', () => job.report().hooks.length === 3);
  expect(job.report().hooks[0]).toMatchObject({
    result: { outcome: 'done' },
    evidence: [{ value: 'nltest /sc_change_pwd:plant.example\nnltest /sc_verify:plant.example\n' }],
  });
  expect(log()).toMatch(/sql: try 1\r\n.*sql: try 2\r\n.*sql: failed/);
  expect(job.report().hooks[1]).toMatchObject({
    result: { outcome: 'failed', sentence: 'database DETACH failed 3703 CC_OS_1 (exit code 1)' },
    evidence: [{ value: expect.stringMatching(/^database DETACH done 0 CC_OS_1R\nmessage Database/) }],
  });
});

test('third start: what hangs is ended with its programs, and stops only what waits for it', async () => {
  await wine.cutPower();
  wine.start();
  await until('the step', () => running(/ -n 62 /).length === 1);
  expect(running(/ -n 61 /)).toEqual([]);
  const hung = job.report().hooks.find(({ hook }) => hook === 'hangs');
  expect(hung?.result).toEqual({ outcome: 'failed', sentence: 'It was not ready after 2 s.' });
  expect(job.report().hooks.find(({ hook }) => hook === 'waits')?.result).toMatchObject({
    outcome: 'skipped',
  });
});

test('two power cuts in one step: it is run again, and nothing that is done', async () => {
  await wine.cutPower();
  wine.start();
  await until('the second try', () => running(/ -n 63 /).length === 1);
  expect(log()).toMatch(/killed: try 1\r\n.*first boot of job .*\r\n.*killed: try 2/);
  await wine.cutPower();
  // From here on nobody takes reports.
  http.closeAllConnections();
  http.close();
  wine.start();
  await until('the end of the steps', () => /last: unverified: "Ende"/.test(log()));
  expect(log()).toMatch(/killed: try 3\r\n.*killed: done: gone on/);
});

test('the service comes back: the last report arrives, and nothing of the agent is left but its log', async () => {
  await until('a report in vain', () => /no proof from/.test(log().split('last: unverified')[1] ?? ''));
  expect(fs.existsSync(path.join(wine.agentFolder, 'key'))).toBe(true);
  await listen();
  await until('the end', () => job.report().state === 'closed');
  await until('the removal', () => !fs.existsSync(wine.agentFolder));
  await until(
    'the remover’s own',
    () => !fs.existsSync(path.join(wine.drive, 'windows', 'rekindle-remove.cmd')),
  );
  expect((await wine.wine('sc', 'query', 'RekindleFirstBoot')).stdout).not.toMatch(/STATE/);
  expect(log()).toMatch(/is done here, and removes itself/);
  expect(log()).not.toContain(job.key.toString('hex'));
  const outcomes = job.report().hooks.map(({ hook, result }) => `${hook} ${result.outcome}`);
  expect(outcomes).toEqual([
    ...[
      'domain done',
      'sql failed',
      'update done',
      'hangs failed',
      'waits skipped',
      'killed done',
      'last unverified',
    ],
  ]);
});

test('a power cut in its removal: the next start goes on with that, and with nothing else', async () => {
  await wine.install(path.join(folder.path, 'staged'));
  const inAgent = (name: string) => path.join(wine.agentFolder, name);
  for (const name of ['key', 'work', 'steps']) fs.rmSync(inAgent(name), { recursive: true });
  fs.writeFileSync(inAgent('over'), '.');
  wine.start();
  await until('the removal', () => !fs.existsSync(wine.agentFolder));
  expect(log()).not.toMatch(/first boot of job|stops/);
  expect((await wine.wine('sc', 'query', 'RekindleFirstBoot')).stdout).not.toMatch(/STATE/);
});
