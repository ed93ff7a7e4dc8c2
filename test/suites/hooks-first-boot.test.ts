import { once } from 'node:events';
import fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import express from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exitCodeOfReport } from '#contract/run-report.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { createConfirmations } from '#pxe-server/hooks/first-boot-confirmations.ts';
import { addFirstBootRoute } from '#pxe-server/http/first-boot-route.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { tick } from '#scripts/commands/report/amend.ts';
import { withMounted } from '#scripts/rehearsal/mounted-partition.ts';
import { type ApiService, startApiService } from '#test/support/api-service.ts';
import { chooseNewest, confirm, expectToFit, leave, logOn } from '#test/support/at-the-console.ts';
import { fileMachine, sitDown } from '#test/support/file-machine.ts';
import { makeLinuxRoot, startUnit } from '#test/support/linux-on-disk.ts';
import {
  demoDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { newestReportFile } from '#test/support/run-reports.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { renderScreen } from '#test/support/terminal-screen.ts';

/**
 * A Linux station with hooks, from its plan in the site folder to the report of its first boot: the real service, the
 * real workflow, a real ext4, and the staged agent run as systemd would run it. Tests follow each other.
 */

const station = 'OS-SRV-1A';
const unit = 'etc/systemd/system/rekindle-first-boot.service';
const [someDisk] = somePassport().disks as [PassportDisk];
const passportDisk = { ...someDisk, sizeBytes: demoDisk.sizeBytes };
const passport: HardwarePassport = { ...somePassport(), disks: [passportDisk] };
const folder = makeTemporaryFolder();
let service: ApiService;
let http: Server;
let diskFile = '';

/** A site's own hook in every phase: a sh script, as simple as the contract allows. */
const mark = `#!/bin/sh
question=$(sed 's/"earlier":.*//')
field() { echo "$question" | sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p"; }
operation=$(field operation)
root=$(field root)
case "$(field phase)-$operation" in
preflight-plan) echo '{"plan":[{"kind":"warning","sentence":"The licence key is counted."}]}' ;;
preflight-verify) echo '{"result":{"outcome":"done","sentence":"The licence server answers."},"evidence":[{"name":"licences","value":"4"}]}' ;;
offline-plan) echo '{"plan":[{"kind":"change","sentence":"Writes the mark."}]}' ;;
offline-apply) echo marked >"$root/etc/mark"; echo '{}' ;;
offline-verify) grep -q marked "$root/etc/mark" && echo '{"result":{"outcome":"done","sentence":"The mark is there."}}' ;;
first-boot-apply) cat /etc/mark; echo '{"result":{"outcome":"done","sentence":"The station has seen its mark."},"evidence":[{"name":"mark","value":"marked"}]}' ;;
esac
`;
const broken = `#!/bin/sh
grep -q '"plan"' && { echo '{}'; exit 0; }
echo 'the dongle is not plugged in' >&2
exit 7
`;

function writePlan(yaml: string, executables: Record<string, string> = {}): void {
  const { hooks } = service.context.paths;
  fs.mkdirSync(path.join(hooks, 'bin'), { recursive: true });
  fs.writeFileSync(path.join(hooks, `${station}.yaml`), yaml);
  for (const [name, text] of Object.entries(executables))
    fs.writeFileSync(path.join(hooks, 'bin', name), text, { mode: 0o755 });
}

const machineOf = (file: string) =>
  fileMachine({ site: service, passport, disks: [{ passportDisk, devicePath: file }] });

async function startRestore(name: string) {
  const target = path.join(folder.path, name);
  run('cp', diskFile, target);
  writeAt(target, noise('damage', 3_000_000), demoDisk.root.startByte + 100_000);
  const before = fs.readFileSync(target);
  const sitting = sitDown(machineOf(target), { server: service.url, purpose: 'recovery' });
  await logOn(sitting);
  await chooseNewest(sitting);
  return { target, before, sitting };
}

const newestReport = () => newestReportFile(service.context.paths.folder, station);

async function reportWhen(state: 'closed'): Promise<Awaited<ReturnType<typeof newestReport>>['report']> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { report } = await newestReport();
    if (report.state === state) return report;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the report was never closed');
}

beforeAll(async () => {
  service = await startApiService();
  diskFile = makeDemoDisk(folder.path);
  await withMounted(diskFile, demoDisk.root, makeLinuxRoot);
  addStation(service.context.state, { name: station, passport, by: 'the test' });
  const app = express();
  addFirstBootRoute(app, service.context, createConfirmations(service.context));
  http = createServer(app).listen(0, '127.0.0.1');
  await once(http, 'listening');
  service.context.configuration.http.port = (http.address() as AddressInfo).port;
  const sitting = sitDown(machineOf(diskFile), { server: service.url, purpose: 'enrolment' });
  await logOn(sitting);
  await confirm(sitting, 'capture', station);
  await sitting.port.waitFor('is in the image store.', 40);
  await sitting.result;
}, 120_000);
afterAll(async () => {
  http.close();
  await service.close();
  folder[Symbol.dispose]();
});

describe('refused before the first write', () => {
  test.each([
    [
      'a plan with a mistake in it',
      'hooks: [{ id: a, kind: site, executable: gone.sh }]\n',
      /hooks\.0\.phases: is required/,
      2,
    ],
    [
      'an executable that is not there',
      'hooks: [{ id: a, kind: site, title: Gone, executable: gone.sh, phases: [first-boot] }]\n',
      /hooks\/bin\/gone\.sh/,
      3,
    ],
    [
      'a preflight that says no',
      'hooks: [{ id: a, kind: site, title: Dongle, executable: no.sh, phases: [preflight] }]\n',
      /the dongle is not plugged in/,
      3,
    ],
  ])('%s', async (_what, yaml, sentence, code) => {
    writePlan(yaml, { 'no.sh': broken });
    const { target, before, sitting } = await startRestore('refused.img');
    await sitting.port.waitFor('Nothing was written to any disk.', 40);
    await sitting.port.waitFor('Choose 1 to 4: ');
    sitting.port.type('4\r');
    const { exitCode } = await sitting.result;
    expect(exitCode).toBe(code);
    expect(renderScreen(sitting.port.written(), 80, 100_000).join(' ').replace(/\s+/g, ' ')).toMatch(
      sentence,
    );
    expectToFit(sitting.port.written());
    expect(fs.readFileSync(target).equals(before)).toBe(true);
    const { report } = await newestReport();
    expect(report.machine.outcome).not.toBe('restored');
    expect(report.checklist).toEqual([]);
  });
});

describe('a station with hooks', () => {
  const plan = `
hooks:
  - { id: mark, kind: site, title: Marks the station, executable: mark.sh, phases: [preflight, offline, first-boot] }
  - { id: after-mark, kind: site, title: Comes after the mark, executable: later.sh, phases: [first-boot], after: [mark] }
`;
  const later =
    '#!/bin/sh\n[ -e /tmp/once ] && { echo "second start"; exit 0; }\ntouch /tmp/once\nexit 249\n';
  let restored = '';

  test('is shown its plan, restored, worked on, and waits for its first boot', async () => {
    writePlan(plan, { 'mark.sh': mark, 'later.sh': later });
    const { target, sitting } = await startRestore('hooks.img');
    await confirm(sitting, 'restore', station, 25);
    await sitting.port.waitFor(`${station} is restored.`, 50);
    const menu = sitting.port.waitFor('Choose 1 to 4: ', 60).then(
      () => sitting.port.written().slice(-1500),
      () => '',
    );
    expect(await Promise.race([sitting.result, menu])).toEqual({ end: 'restart', exitCode: 0 });
    expectToFit(sitting.port.written());
    const screen = sitting.port.written();
    expect(screen.indexOf('WARNING: The licence key is counted.')).toBeGreaterThan(0);
    expect(screen.indexOf('WARNING: The licence key is counted.')).toBeLessThan(
      screen.indexOf(`Type ${station}`),
    );
    restored = target;
    const { report } = await newestReport();
    expect(report.state).toBe('awaiting-first-boot');
    expect(report.hooks).toMatchObject([
      {
        hook: 'mark',
        phase: 'preflight',
        result: { outcome: 'done' },
        evidence: [{ name: 'licences', value: '4' }],
      },
      { hook: 'after-mark', phase: 'preflight', result: { outcome: 'done' } },
    ]);
    expect(report.machine.hooks).toMatchObject([
      { hook: 'mark', phase: 'offline', result: { outcome: 'staged' } },
      { hook: 'after-mark', phase: 'offline', result: { outcome: 'staged' } },
    ]);
    expect(report.checklist.map(({ id, ticked }) => [id, ticked])).toContainEqual(['download', null]);
    await withMounted(target, demoDisk.root, (root) => {
      expect(fs.readFileSync(path.join(root, 'etc/mark'), 'utf8')).toBe('marked\n');
      expect(fs.statSync(path.join(root, 'etc/rekindle/first-boot')).mode & 0o777).toBe(0o700);
      expect(
        fs.readlinkSync(
          path.join(root, 'etc/systemd/system/multi-user.target.wants/rekindle-first-boot.service'),
        ),
      ).toBe(`/${unit}`);
    });
  });

  test('reports that nobody signed, and reports of other jobs, are refused', async () => {
    const port = service.context.configuration.http.port;
    const jobId = (await newestReport()).report.jobId;
    const body = JSON.stringify({
      formatVersion: 1,
      jobId,
      sequence: 1,
      last: true,
      agent: 'linux',
      steps: [],
    });
    const answer = await fetch(`http://127.0.0.1:${port}/first-boot/${jobId}`, {
      method: 'POST',
      body,
      headers: { 'Rekindle-Mac': '0'.repeat(64) },
    });
    expect(answer.status).toBe(403);
    expect((await newestReport()).report.state).toBe('awaiting-first-boot');
  });

  test('first start: the steps run in order, a restart is asked for and the key is still there', async () => {
    await withMounted(restored, demoDisk.root, async (root) => {
      expect(await startUnit(root, unit).ended).toMatchObject({ status: 0 });
      expect(fs.readFileSync(path.join(root, 'systemctl-calls'), 'utf8')).toBe('reboot\n');
    });
    const { report } = await newestReport();
    expect(report.state).toBe('awaiting-first-boot');
  });

  const expectNothingLeft = (root: string) => {
    expect(fs.existsSync(path.join(root, 'etc/rekindle'))).toBe(false);
    expect(fs.existsSync(path.join(root, unit))).toBe(false);
    expect(fs.readdirSync(path.join(root, 'etc/systemd/system/multi-user.target.wants'))).toEqual([]);
  };

  test('second start: the rest runs, the report is closed, and nothing is left behind', async () => {
    await withMounted(restored, demoDisk.root, async (root) => {
      for (const name of ['etc/rekindle', 'etc/systemd'])
        fs.cpSync(path.join(root, name), path.join(root, 'kept', name), {
          recursive: true,
          verbatimSymlinks: true,
        });
      expect(await startUnit(root, unit).ended).toMatchObject({ status: 0 });
      expectNothingLeft(root);
      expect(fs.readFileSync(path.join(root, 'var/log/rekindle-first-boot.log'), 'utf8')).toMatch(
        /removes itself/,
      );
    });
    const report = await reportWhen('closed');
    expect(report.hooks.filter(({ phase }) => phase === 'first-boot')).toMatchObject([
      { hook: 'mark', result: { outcome: 'done', sentence: 'The station has seen its mark.' } },
      { hook: 'after-mark', result: { outcome: 'done', sentence: 'second start' } },
    ]);
    expect(exitCodeOfReport(report)).toBe(0);
    expect(report.amendments.length).toBeGreaterThan(1);
  });

  test('an agent that lost its power while it removed itself goes on with that, and with nothing else', async () => {
    const { report: before } = await newestReport();
    await withMounted(restored, demoDisk.root, async (root) => {
      fs.cpSync(path.join(root, 'kept'), root, { recursive: true, verbatimSymlinks: true });
      const agent = path.join(root, 'etc/rekindle/first-boot');
      fs.writeFileSync(path.join(agent, 'over'), '');
      for (const gone of ['bin', 'job', 'key.inner']) fs.rmSync(path.join(agent, gone), { recursive: true });
      expect(await startUnit(root, unit).ended).toMatchObject({ status: 0 });
      expectNothingLeft(root);
    });
    expect((await newestReport()).report).toEqual(before);
  });

  test('what a person has to do is open until it is ticked, and the report is signed anew each time', async () => {
    const { file, report: before } = await newestReport();
    const { folder: site } = service.context.paths;
    expect(await tick(file, 'download', { site, by: 'meier', note: 'from ES-1' })).toMatch(
      /^Still open: .*updates/,
    );
    const { report } = await newestReport();
    expect(report.checklist.find(({ id }) => id === 'download')?.ticked).toMatchObject({
      by: 'meier',
      note: 'from ES-1',
    });
    expect(report.amendments.at(-1)).toMatchObject({ by: 'meier', what: 'ticked download' });
    expect(report.machine).toEqual(before.machine);
    await expect(tick(file, 'coffee', { site })).rejects.toMatchObject({ code: 'not-found' });
    fs.appendFileSync(file, ' ');
    await expect(tick(file, 'updates', { site })).rejects.toMatchObject({ code: 'verification-failed' });
  });
});

test('one offline hook fails: those that wait for it are skipped, the others run, exit code 3, the report is whole', async () => {
  const offline = (id: string, executable: string, more = '') =>
    `  - { id: ${id}, kind: site, title: Hook ${id}, executable: ${executable}, phases: [offline]${more} }\n`;
  const plan = [
    offline('dongle', 'badly.sh'),
    offline('licence', 'mark.sh', ', after: [dongle]'),
    offline('project', 'mark.sh', ', after: [licence]'),
    offline('mark', 'mark.sh'),
  ];
  const badly = `#!/bin/sh
case "$(sed 's/"earlier":.*//')" in *'"operation":"plan"'*) echo '{}'; exit 0 ;; esac
echo 'the dongle is not plugged in' >&2
exit 7
`;
  writePlan(`hooks:\n${plan.join('')}`, { 'mark.sh': mark, 'badly.sh': badly });
  const { target, sitting } = await startRestore('failing.img');
  await confirm(sitting, 'restore', station, 25);
  await sitting.port.waitFor(`${station} is restored.`, 50);
  const exitCode = await leave(sitting);
  expect(exitCode).toBe(3);
  expectToFit(sitting.port.written());
  const { report } = await newestReport();
  expect(report.machine).toMatchObject({ outcome: 'restored', exitCode: 3 });
  expect(report.machine.hooks).toMatchObject([
    {
      hook: 'dongle',
      phase: 'offline',
      result: { outcome: 'failed', sentence: expect.stringContaining('the dongle is not plugged in') },
    },
    {
      hook: 'licence',
      result: {
        outcome: 'skipped',
        blockedBy: 'dongle',
        reason: expect.stringMatching(/hook dongle, which did not succeed/),
      },
    },
    { hook: 'project', result: { outcome: 'skipped', blockedBy: 'licence' } },
    { hook: 'mark', result: { outcome: 'done', sentence: 'The mark is there.' } },
  ]);
  expect(report.machine.steps.map(({ step, outcome }) => `${step} ${outcome}`).slice(-4)).toEqual([
    'restore-disks done',
    'repair-boot-entries skipped',
    'apply-hooks done',
    'inspect-windows skipped',
  ]);
  expect(report.state).toBe('closed');
  expect(exitCodeOfReport(report)).toBe(3);
  expect(report.checklist.length).toBeGreaterThan(0);
  await withMounted(target, demoDisk.root, (root) => {
    expect(fs.readFileSync(path.join(root, 'etc/mark'), 'utf8')).toBe('marked\n');
  });
});
