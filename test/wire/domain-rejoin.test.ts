import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTool } from '#base/run-tool.ts';
import { offlineJoinFile, oneTimePasswordFile } from '#contract/domain-files.ts';
import { stepExitCodes } from '#contract/first-boot.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { linuxRejoinFile, linuxRejoinScript } from '#runtime/hooks/domain/rejoin-script.ts';
import { delegated } from '#scripts/rehearsal/domain/delegated-account.ts';
import { administrator } from '#scripts/rehearsal/domain/lab-controller.ts';
import {
  type LabDomain,
  rotateMachinePassword,
  startLabDomain,
} from '#scripts/rehearsal/domain/lab-domain.ts';
import { proveTrust } from '#scripts/rehearsal/domain/lab-member.ts';
import { copyState, restoreState, type SambaHost } from '#scripts/rehearsal/domain/samba-host.ts';
import { createLabNetwork } from '#scripts/rehearsal/lab-network.ts';
import { askDomain } from '#test/support/ask-domain.ts';
import { captureKey } from '#test/support/capture-image-of.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { writeImage } from '#test/support/store-images.ts';

/**
 * A member of a real Samba domain is put back to an image whose machine password the domain does not know any more,
 * and repaired. What runs on the station is what is staged for its first boot.
 */
const stack = new AsyncDisposableStack();
let lab: LabDomain;
let station: SambaHost;
let folder: string;
/** The station's disk when it had just joined. */
let image: string;
/** Well after the last change of the password, and well before the next one. */
const longAgo = new Date(Date.now() - 86_400_000);
const muchLater = new Date(Date.now() + 86_400_000);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rekindle-domain-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const network = stack.use(await createLabNetwork());
  lab = stack.use(await startLabDomain(network, folder));
  station = await lab.addHost('STATION1', '10.77.0.50');
  await lab.joinMember(station);
  image = path.join(folder, 'image');
  await copyState(station, image);
}, 600_000);
afterAll(() => stack.disposeAsync(), 60_000);

/** What the first-boot agent does: the staged files in one folder, and the step's command in it. */
async function firstBoot(secret?: { readonly name: string; readonly bytes: string }) {
  const agent = path.join(folder, 'agent');
  await mkdir(agent, { recursive: true });
  await writeFile(path.join(agent, linuxRejoinFile), linuxRejoinScript);
  if (secret !== undefined) {
    await writeFile(path.join(agent, secret.name), Buffer.from(secret.bytes, 'base64'), { mode: 0o600 });
  }
  const { status, stdout, stderr } = await station.call('sh', [`./${linuxRejoinFile}`], { cwd: agent });
  return {
    status,
    said: `${stdout.toString()}${stderr}`,
    left: secret !== undefined && existsSync(path.join(agent, secret.name)),
  };
}

const computerName = 'STATION1';

test('A trust that fits the image is left alone', async () => {
  expect(await proveTrust(station)).toMatchObject({ testjoin: true, secureChannel: true });
  const question = { computerName, capturedAt: muchLater };
  const { answer } = await askDomain(lab, { ask: 'preflight', ...question });
  expect(answer).toMatchObject({
    precondition: { kind: 'ready' },
    plan: { lines: [{ kind: 'change', sentence: expect.stringMatching(/is that of the image/) }, {}] },
  });
  expect(await askDomain(lab, { ask: 'provide', ...question })).toEqual({ answer: [] });
}, 600_000);

test('One change after the image breaks the secure channel, though testjoin is still content; two break both', async () => {
  await rotateMachinePassword(station);
  const once = path.join(folder, 'changed-once');
  await copyState(station, once);
  await restoreState(station, image);
  expect(await proveTrust(station)).toMatchObject({ testjoin: true, secureChannel: false });
  await restoreState(station, once);
  await rotateMachinePassword(station);
  await restoreState(station, image);
  expect(await proveTrust(station)).toMatchObject({ testjoin: false, secureChannel: false });
  const { answer } = await askDomain(lab, { ask: 'preflight', computerName, capturedAt: longAgo });
  expect(answer).toMatchObject({
    precondition: { kind: 'ready' },
    plan: {
      lines: [{ kind: 'warning', sentence: expect.stringMatching(/will not trust/) }, { kind: 'change' }],
    },
  });
}, 600_000);

test('An offline-join blob repairs it once, and no process shows a password', async () => {
  const before = await preflightEvidence();
  const watch = watchArguments();
  const { answer, failure } = await askDomain(lab, { ask: 'provide', computerName, capturedAt: longAgo });
  const seen = await watch.stop();
  expect(failure).toBeUndefined();
  expect(seen.some((line) => line.includes('offlinejoin'))).toBe(true);
  expect(seen.filter((line) => line.includes(delegated.password))).toEqual([]);
  const [blob] = answer as { name: string; bytes: string; secret: boolean }[];
  expect(blob).toMatchObject({ name: offlineJoinFile, secret: true });
  // As djoin.exe writes it: UTF-16LE with a byte order mark, base64, NUL.
  const text = Buffer.from(blob?.bytes ?? '', 'base64').toString('utf16le');
  expect(text).toMatch(/^\uFEFF[A-Za-z0-9+/]+=*\0$/);

  const repaired = await firstBoot(blob);
  expect(repaired, repaired.said).toMatchObject({ status: 0, left: false });
  expect(await proveTrust(station)).toMatchObject({ testjoin: true, secureChannel: true });
  expect(await askDomain(lab, { ask: 'confirm', computerName, evidence: before })).toMatchObject({
    answer: { result: { outcome: 'done', sentence: expect.stringMatching(/has logged on to its domain/) } },
  });
  // Again without the secret: the same once more.
  expect(await firstBoot()).toMatchObject({ status: 0 });

  const replayed = await firstBoot(blob);
  expect(replayed.status, replayed.said).toBe(stepExitCodes.retry);
  expect(await proveTrust(station)).toMatchObject({ secureChannel: false });
}, 600_000);

test('A one-time password of a reset account repairs it too', async () => {
  const before = await preflightEvidence();
  const { answer } = await askDomain(lab, {
    ask: 'provide',
    computerName,
    capturedAt: longAgo,
    hook: { method: 'reset-account' },
  });
  const [secret] = answer as { name: string; bytes: string; secret: boolean }[];
  expect(secret).toMatchObject({ name: oneTimePasswordFile, secret: true });
  expect(await askDomain(lab, { ask: 'confirm', computerName, evidence: before })).toMatchObject({
    answer: { result: { outcome: 'unverified' } },
  });
  await restoreState(station, image);
  const repaired = await firstBoot(secret);
  expect(repaired, repaired.said).toMatchObject({ status: 0, left: false });
  expect(await proveTrust(station)).toMatchObject({ testjoin: true, secureChannel: true });
  expect(await askDomain(lab, { ask: 'confirm', computerName, evidence: before })).toMatchObject({
    answer: { result: { outcome: 'done' } },
  });
}, 600_000);

test('A station that says "done" while its password is the old one is not believed', async () => {
  const evidence = await preflightEvidence();
  expect(await askDomain(lab, { ask: 'confirm', computerName, evidence })).toMatchObject({
    answer: {
      result: { outcome: 'failed', sentence: expect.stringMatching(/was not changed in the domain/) },
    },
  });
}, 600_000);

test('Missing rights, accounts, controllers and a wrong domain are sentences', async () => {
  await lab.controller.host.run('adding an account without rights', 'samba-tool', [
    'computer',
    'create',
    'STATION2',
  ]);
  await lab.controller.host.run('enabling it', 'samba-tool', ['user', 'enable', 'STATION2$']);
  const refusal = async (question: Partial<Parameters<typeof askDomain>[1]>) =>
    askDomain(lab, { ask: 'preflight', computerName, capturedAt: longAgo, ...question });

  expect(await refusal({ computerName: 'STATION2' })).toMatchObject({
    answer: {
      precondition: {
        kind: 'refuse',
        sentence: expect.stringMatching(/has no rights on the computer account STATION2/),
      },
    },
  });
  expect(await refusal({ ask: 'provide', computerName: 'STATION2' })).toMatchObject({
    failure: expect.stringMatching(/may not reset that computer account/),
  });
  expect(
    await refusal({ ask: 'provide', computerName: 'STATION2', hook: { method: 'reset-account' } }),
  ).toMatchObject({
    failure: expect.stringMatching(/may not do that/),
  });
  expect(await refusal({ computerName: 'STATION9' })).toMatchObject({
    answer: {
      precondition: { kind: 'refuse', sentence: expect.stringMatching(/has no computer account STATION9/) },
    },
  });
  expect(await refusal({ directory: { domain: 'other.example' } })).toMatchObject({
    failure: expect.stringMatching(/it is a controller of lab\.example, not of other\.example/),
  });
  const nobody = { controllers: ['dc9.lab.example'] };
  expect(await refusal({ directory: nobody })).toMatchObject({
    answer: {
      precondition: { kind: 'ready' },
      plan: {
        lines: [
          { kind: 'warning', sentence: expect.stringMatching(/No controller of lab\.example answers/) },
          { kind: 'needs-person' },
        ],
      },
    },
  });
  expect(await refusal({ ask: 'provide', directory: nobody })).toMatchObject({
    failure: expect.stringMatching(
      /Rejoining STATION1: no controller answers(.|\n)*rekindle hook domain OS1 --rejoin/,
    ),
  });
  const wrong = path.join(folder, 'wrong.password');
  await writeFile(wrong, 'not-the-password\n', { mode: 0o600 });
  expect(await refusal({ directory: { passwordFile: wrong } })).toMatchObject({
    failure: expect.stringMatching(/the domain refuses name or password/),
  });
  await writeFile(wrong, 'x\n', { mode: 0o600 });
  execFileSync('chmod', ['644', wrong]);
  expect(await refusal({ directory: { passwordFile: wrong } })).toMatchObject({
    failure: expect.stringMatching(/can be read by other users/),
  });
  const otherCa = path.join(folder, 'other-ca.pem');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=Other CA',
      '-keyout',
      '/dev/null',
      '-out',
      otherCa,
    ],
    { stdio: 'ignore' },
  );
  const pinned = JSON.stringify(await refusal({ directory: { ca: otherCa } }));
  expect(pinned).toMatch(/its certificate does not fit/);
}, 600_000);

test('The verb shows the trust and writes a blob, with the account of the site or of a technician', async () => {
  const site = await makeCliSite(folder);
  const paths = sitePaths(site);
  const state = openState(paths.state);
  addStation(state, { name: computerName, passport: somePassport(), by: 'test' });
  state.close();
  await writeImage(path.join(site, 'images'), captureKey, {
    station: computerName,
    utc: '20261001T020000Z',
    blocks: [Buffer.alloc(4096, 1)],
  });
  await mkdir(paths.hooks, { recursive: true });
  const plan = { hooks: [{ id: 'domain', kind: 'domain-rejoin', directory: lab.directory }] };
  await writeFile(path.join(paths.hooks, `${computerName}.yaml`), JSON.stringify(plan));
  const verb = (...args: string[]) =>
    callTool(
      'running the verb',
      { command: 'ip', debianPackage: 'iproute2' },
      lab.network
        .inside([
          process.execPath,
          'scripts/rekindle.ts',
          'hook',
          'domain',
          computerName,
          '--site',
          site,
          ...args,
        ])
        .slice(1),
    );

  const shown = await verb();
  expect(shown.stdout.toString(), shown.stderr).toMatch(
    /^! The machine password of STATION1 was changed .*will not trust/m,
  );
  const blob = path.join(folder, 'blob');
  const written = await verb('--rejoin', blob);
  expect(written.stdout.toString(), written.stderr).toMatch(/djoin \/requestodj/);
  expect((await stat(blob)).mode & 0o777).toBe(0o600);
  const bytes = (await readFile(blob)).toString('base64');
  await restoreState(station, image);
  expect(await firstBoot({ name: offlineJoinFile, bytes })).toMatchObject({ status: 0, left: false });
  expect((await verb('--rejoin', blob)).status).toBe(2);

  const technician = path.join(folder, 'technician.password');
  await writeFile(technician, `${administrator.password}\n`, { mode: 0o600 });
  const own = [
    '--rejoin',
    path.join(folder, 'blob-2'),
    '--as',
    'LAB\\Administrator',
    '--password-file',
    technician,
  ];
  const again = await verb(...own);
  expect(again.status, again.stderr).toBe(0);
}, 600_000);

async function preflightEvidence() {
  const { answer } = await askDomain(lab, { ask: 'preflight', computerName, capturedAt: longAgo });
  return (answer as { plan: { evidence: { name: string; value: string }[] } }).plan.evidence;
}

/** Arguments and environment of every process in the server's network, as often as can be. */
function watchArguments(): { stop(): Promise<string[]> } {
  const seen = new Set<string>();
  let going = true;
  const watching = (async () => {
    while (going) {
      const pids = execFileSync('ip', ['netns', 'pids', lab.network.namespace], { encoding: 'utf8' });
      for (const pid of pids.split('\n').filter(Boolean)) {
        for (const file of ['cmdline', 'environ']) {
          const text = await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
          if (text !== '') seen.add(text.replaceAll('\0', ' '));
        }
      }
      await sleep(5);
    }
  })();
  return {
    stop: async () => {
      going = false;
      await watching;
      return [...seen];
    },
  };
}
