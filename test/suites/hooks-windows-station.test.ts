import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { offlineJoinFile } from '#contract/domain-files.ts';
import type { FirstBootPlan } from '#contract/first-boot.ts';
import { stageFirstBoot } from '#runtime/first-boot/stage-first-boot.ts';
import { runOfflineHooks } from '#runtime/hooks/run-offline-hooks.ts';
import { clearScriptFile } from '#runtime/hooks/sql/sqlcmd-step.ts';
import {
  buildWindowsStation,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { offlineRun } from '#test/support/offline-run.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { inVolume, openWindowsDisk } from '#test/support/windows-disk.ts';

/** A Windows station's hook plan, from the YAML's meaning to what lies on its disk for the first start. */

const folder = makeTemporaryFolder();
const disk = path.join(folder.path, 'station.img');
const blob = Buffer.from('the offline-join blob');
const directory = {
  ...{ domain: 'plant.example', controllers: ['dc1.plant.example'], ca: 'ca.pem', account: 'svc' },
  passwordFile: 'svc.password',
};
const sql = { id: 'sql', kind: 'sql-management-data', pcs7: 'V8.1' };
const domain = { id: 'domain', kind: 'domain-rejoin', after: ['sql'], directory };
const licence = {
  id: 'licence',
  kind: 'site',
  title: 'Licence',
  executable: 'licence.cmd',
  phases: ['first-boot'],
};

beforeAll(() => buildWindowsStation(disk, windowsStation()));
afterAll(() => folder[Symbol.dispose]());

const fileOf = (hook: string, name: string, bytes: Buffer, secret: boolean) => ({
  ...{ hook, name, content: bytes.toString('base64'), secret },
});

async function runHooks(hooks: readonly object[]) {
  const run = offlineRun(hooks);
  const records = await runOfflineHooks({
    ...run,
    material: {
      ...run.material,
      files: [
        fileOf('domain', offlineJoinFile, blob, true),
        fileOf('licence', 'licence.cmd', Buffer.from('@exit /b 0\r\n'), false),
      ],
    },
    openSystem: () => openWindowsDisk(disk),
  });
  return records.map(({ hook, result }) => `${hook} ${result.outcome}`);
}

const onDisk = (name: string): string =>
  inVolume(disk, stationDisk.windows, (root) =>
    fs.readFileSync(path.join(root, 'Windows/Rekindle', name)).toString('latin1'),
  );

test('three hooks are staged in their order, each with its files, and the secret is named as one', async () => {
  expect(await runHooks([sql, domain, licence])).toEqual(['sql staged', 'domain staged', 'licence staged']);
  expect(onDisk('job').split('\r\n')).toEqual([
    'job=11111111-2222-4333-8444-555555555555',
    'server=http://10.77.0.1:8080',
    'giveUpHours=72',
    ...['step=01-sql', 'step=02-domain', 'step=03-licence'],
    '',
  ]);
  expect(onDisk('steps/01-sql/command.cmd')).toBe('@echo off\r\nclear-management-data.cmd\r\n');
  expect(onDisk('steps/02-domain/command.cmd')).toBe('@echo off\r\ndomain-rejoin.cmd plant.example\r\n');
  expect(onDisk('steps/02-domain/step')).toBe(
    [
      'hook=domain',
      'after=sql',
      'timeoutSeconds=300',
      'retrySeconds=15',
      'tries=20',
      `secret=${offlineJoinFile}`,
      '',
    ].join('\r\n'),
  );
  expect(onDisk(`work/${offlineJoinFile}`)).toBe(blob.toString());
  expect(Buffer.from(onDisk(`work/${clearScriptFile}`), 'latin1').toString('utf16le')).toContain("N'apply'");
  expect(JSON.parse(onDisk('work/licence.question.json'))).toMatchObject({
    operation: 'apply',
    hook: 'licence',
  });
  expect(onDisk('key')).toBe(`${'ab'.repeat(32)}\r\n`);
  // This Windows has no 64-bit half: its wrapper is the 32-bit one.
  expect(Buffer.from(onDisk('nssm.exe'), 'latin1')).toEqual(await readFirstBootFile('windows/nssm.exe'));
});

test('another plan replaces what was staged; what cannot be done is failed or skipped, and takes nothing along', async () => {
  const hooks = [
    { ...sql, id: 'other', instance: 'OTHER' },
    { ...sql, id: 'new', pcs7: 'V9.0' },
    { ...domain, id: 'waits', after: ['other'] },
    licence,
  ];
  expect(await runHooks(hooks)).toEqual(['other failed', 'new skipped', 'waits skipped', 'licence staged']);
  expect(onDisk('job')).toContain('step=01-licence\r\n');
  expect(() => onDisk(`work/${offlineJoinFile}`)).toThrow('ENOENT');
  expect(() => onDisk('steps/01-sql/step')).toThrow('ENOENT');
});

test('what had to be done before its volume could be written to is said', async () => {
  const said: string[] = [];
  await runOfflineHooks({
    ...offlineRun([]),
    async openSystem() {
      const windows = await openWindowsDisk(disk);
      const system = { ...windows.system, remarks: ['Its log was replayed.'] };
      return { system, [Symbol.asyncDispose]: () => windows[Symbol.asyncDispose]() };
    },
    say: (sentence) => said.push(sentence),
  });
  expect(said).toEqual(['Its log was replayed.']);
});

test('a command that no code page is the same in is refused, and nothing is staged', async () => {
  {
    await using windows = await openWindowsDisk(disk);
    const plan: FirstBootPlan = {
      formatVersion: 1,
      jobId: '11111111-2222-4333-8444-555555555555',
      station: 'OS-SRV-1A',
      servers: ['http://10.77.0.1:8080'],
      giveUpHours: 1,
      steps: [
        {
          ...{ hook: 'backup', title: 'Backup', after: [], command: 'wbadmin \\\\server\\Büro' },
          ...{ secretFiles: [], timeoutSeconds: 1, retrySeconds: 1, tries: 1 },
        },
      ],
    };
    await expect(
      stageFirstBoot(windows.system, { key: Buffer.alloc(32), files: [], plan }, readFirstBootFile),
    ).rejects.toMatchObject({ code: 'usage', next: expect.stringContaining('without umlauts') });
  }
  expect(onDisk('job')).toContain('step=01-licence\r\n');
});
