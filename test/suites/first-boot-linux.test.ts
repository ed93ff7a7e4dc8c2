import { once } from 'node:events';
import fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConfirmations } from '#pxe-server/hooks/first-boot-confirmations.ts';
import { firstBootKey, macOf } from '#pxe-server/hooks/first-boot-key.ts';
import { addFirstBootRoute } from '#pxe-server/http/first-boot-route.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { stageFirstBoot } from '#runtime/first-boot/stage-first-boot.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { type ApiService, startApiService } from '#test/support/api-service.ts';
import { startCli } from '#test/support/cli-site.ts';
import { makeLinuxRoot, startUnit } from '#test/support/linux-on-disk.ts';
import { openReportedJob, type ReportedJob } from '#test/support/reported-job.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { verifyWithMinisign } from '#test/support/run-reports.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A first boot on Linux that is interrupted, the service that is away meanwhile, and the person who waits no longer. */

const folder = makeTemporaryFolder();
const root = path.join(folder.path, 'root');
const agent = path.join(root, 'etc/rekindle/first-boot');
const unit = 'etc/systemd/system/rekindle-first-boot.service';
const station = 'OS-SRV-1A';
let service: ApiService;
let http: Server;
let port = 0;
let job: ReportedJob;

const site = (id: string) => ({
  ...{ id, kind: 'site', title: `Does ${id}`, executable: `${id}.sh`, phases: ['first-boot'] },
});

async function listen(): Promise<void> {
  const app = express();
  addFirstBootRoute(app, service.context, createConfirmations(service.context));
  http = createServer(app).listen(port, '127.0.0.1');
  await once(http, 'listening');
  port = (http.address() as AddressInfo).port;
}

async function until(what: string, is: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (is()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not come`);
}

const log = () => fs.readFileSync(path.join(agent, 'log'), 'utf8');

beforeAll(async () => {
  service = await startApiService();
  await listen();
  job = await openReportedJob(service.context, station, [site('killed'), site('last')]);
  fs.mkdirSync(root);
  makeLinuxRoot(root);
  const step = (hook: string, command: string, secretFiles: string[] = []) => ({
    ...{ hook, title: hook, after: [], command, secretFiles, timeoutSeconds: 60, retrySeconds: 1, tries: 3 },
  });
  const servers = [`http://127.0.0.1:${port}`];
  const killed = '[ -e begun ] && { cat secret; exit 0; }; touch begun; sleep 60';
  const steps = [step('killed', killed, ['secret']), step('last', 'echo the end')];
  await stageFirstBoot(
    { kind: 'linux', root },
    {
      plan: { formatVersion: 1, jobId: job.jobId, station, servers, giveUpHours: 1, steps },
      key: job.key,
      files: [{ name: 'secret', bytes: Buffer.from('still there\n'), executable: false }],
    },
    readFirstBootFile,
  );
});
afterAll(async () => {
  http.close();
  await service.close();
  folder[Symbol.dispose]();
});

test('killed in the middle of a step, it runs that step again, with its secret', async () => {
  const first = startUnit(root, unit);
  await until('the step', () => fs.existsSync(path.join(agent, 'work/begun')));
  first.child.kill('SIGKILL');
  await first.ended;
  expect(fs.existsSync(path.join(agent, 'work/secret'))).toBe(true);
  expect(fs.existsSync(path.join(agent, 'steps/01-killed/result.json'))).toBe(false);
});

test('while the service is away it goes on asking, and what is done stays done', async () => {
  http.closeAllConnections();
  http.close();
  const second = startUnit(root, unit);
  await until('a last report in vain', () => /last: done[\s\S]*no proof from/.test(log()));
  expect(fs.existsSync(path.join(agent, 'key.inner'))).toBe(true);
  expect(fs.existsSync(path.join(agent, 'work/secret'))).toBe(false);
  expect(job.report().state).toBe('awaiting-first-boot');
  await listen();
  expect(await second.ended).toMatchObject({ status: 0 });
  await until('the end', () => job.report().state === 'closed');
  expect(job.report().hooks).toMatchObject([
    { hook: 'killed', result: { outcome: 'done', sentence: 'still there' } },
    { hook: 'last', result: { outcome: 'done', sentence: 'the end' } },
  ]);
  expect(fs.existsSync(agent)).toBe(false);
});

test('a last report counts whatever its number, once: a power cut may take the agent’s count with it', async () => {
  const counted = await openReportedJob(service.context, station, [site('counted')]);
  const post = async (sequence: number, last: boolean, sentence: string) => {
    const body = JSON.stringify({
      ...{ formatVersion: 1, jobId: counted.jobId, sequence, last, agent: 'linux' },
      steps: [
        {
          ...{ hook: 'counted', result: { outcome: 'done', sentence }, evidence: [] },
          ...{ startedAt: new Date().toISOString(), seconds: 1 },
        },
      ],
    });
    const answer = await fetch(`http://127.0.0.1:${port}/first-boot/${counted.jobId}`, {
      ...{ method: 'POST', body, headers: { 'Rekindle-Mac': macOf(counted.key, body) } },
    });
    expect([answer.status, await answer.text()]).toEqual([
      200,
      macOf(counted.key, `received ${sequence} ${last}`),
    ]);
  };
  const sentenceNow = () =>
    counted.report().hooks.flatMap(({ result }) => ('sentence' in result ? result.sentence : []));
  await post(3, false, 'third');
  await post(1, false, 'an old one');
  expect(sentenceNow()).toEqual(['third']);
  await post(1, true, 'the last');
  await until('the end', () => counted.report().state === 'closed');
  expect(sentenceNow()).toEqual(['the last']);
  // The key is used up: neither that one again nor any other changes anything.
  const closed = counted.report();
  await post(1, true, 'the last');
  await post(9, true, 'one more');
  expect(counted.report()).toEqual(closed);
});

test('report close: nobody waits any more, and the station’s late word changes nothing', async () => {
  const late = await openReportedJob(service.context, station, [site('silent')]);
  const paths = service.context.paths;
  await using closing = startCli(
    ...['report', 'close', late.reportFile, '--site', paths.folder, '--by', 'meier', '--reason', 'scrapped'],
  );
  expect([await closing.exitCode, closing.output()]).toEqual([
    0,
    'The report is closed. Unverified for ever: silent.\n',
  ]);
  await verifyWithMinisign(late.reportFile, paths.imageSigningPublicKey);
  const closed = late.report();
  expect(closed.state).toBe('closed');
  expect(closed.amendments.at(-1)).toMatchObject({ by: 'meier', what: 'closed: scrapped' });
  const silent = { hook: 'silent', result: { outcome: 'done', sentence: 'Late.' }, evidence: [] };
  const body = JSON.stringify({
    ...{ formatVersion: 1, jobId: late.jobId, sequence: 1, last: true, agent: 'linux' },
    steps: [{ ...silent, startedAt: new Date().toISOString(), seconds: 1 }],
  });
  const key = firstBootKey(service.context.signingKey, late.jobId);
  const answer = await fetch(`http://127.0.0.1:${port}/first-boot/${late.jobId}`, {
    ...{ method: 'POST', body, headers: { 'Rekindle-Mac': macOf(key, body) } },
  });
  // The agent is told that it may go.
  expect([answer.status, await answer.text()]).toEqual([200, macOf(key, 'received 1 true')]);
  expect(late.report()).toEqual(closed);
});

test('hook show: the plan as it will run, and what is wrong with it', async () => {
  const { paths, state } = service.context;
  addStation(state, { name: station, passport: somePassport(), by: 'the test' });
  const show = async (name: string, ...more: string[]) => {
    await using cli = startCli('hook', 'show', name, '--site', paths.folder, ...more);
    const code = await cli.exitCode;
    return { code, output: cli.output() };
  };
  expect((await show(station)).output).toMatch(/^OS-SRV-1A \(client\): .*\n {2}no hooks\. .*\n$/);
  fs.mkdirSync(paths.hooks, { recursive: true });
  const file = path.join(paths.hooks, `${station}.yaml`);
  const sql = '  - { id: sql, kind: sql-management-data, pcs7: V8.1 }\n';
  const copy =
    '  - { id: copy, kind: site, title: Copies, executable: c.sh, phases: [offline], after: [sql] }\n';
  fs.writeFileSync(file, `hooks:\n${sql}${copy}`);
  expect(await show(station)).toEqual({
    code: 0,
    output: [
      `OS-SRV-1A (client): ${file}`,
      '  sql          Management data of SQL Server WINCC (sql-management-data)',
      '  copy         Copies (site, after sql)',
      '',
    ].join('\n'),
  });
  const { hooks } = JSON.parse((await show(station, '--json')).output) as { hooks: { id: string }[] };
  expect(hooks.map(({ id }) => id)).toEqual(['sql', 'copy']);
  fs.writeFileSync(file, `hooks:\n${copy}${sql}`);
  const wrong = await show(station);
  expect(wrong.code).toBe(2);
  expect(wrong.output).toContain('`sql` is not above `copy`');
  expect((await show('NOBODY')).code).toBe(11);
});
