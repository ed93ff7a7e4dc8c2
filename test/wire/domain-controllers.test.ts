import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DomainControllerMark } from '#images/format/image-manifest.ts';
import {
  addTestContainer,
  domainContext,
  testContainer,
} from '#scripts/rehearsal/domain/delegated-account.ts';
import { type RunningController, startController } from '#scripts/rehearsal/domain/lab-controller.ts';
import { type LabDomain, startLabDomain } from '#scripts/rehearsal/domain/lab-domain.ts';
import { copyState, restoreState, type SambaHost } from '#scripts/rehearsal/domain/samba-host.ts';
import { createLabNetwork } from '#scripts/rehearsal/lab-network.ts';
import { askDomain } from '#test/support/ask-domain.ts';

/**
 * A domain controller is put back to an image while its partner lives on. Samba has neither event log nor quarantine:
 * what it proves is that the rule sees the rollback, that the damage is real, and that a new invocationId mends it.
 */
const stack = new AsyncDisposableStack();
let lab: LabDomain;
let first: SambaHost;
let second: RunningController;
let image: string;
let mark: DomainControllerMark;
const [dc1, dc2] = ['dc1.lab.example', 'dc2.lab.example'];
const both = { controllers: [dc1, dc2] };
const ways = { computerName: 'DC1', directory: both, container: testContainer };
const [yesterday, halfYearAgo] = [1, 181].map((days) => new Date(Date.now() - days * 86_400_000)) as [
  Date,
  Date,
];

beforeAll(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rekindle-controllers-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  image = path.join(folder, 'image');
  const network = stack.use(await createLabNetwork());
  lab = stack.use(await startLabDomain(network, folder));
  first = lab.controller.host;
  await addTestContainer(first);
}, 600_000);
afterAll(() => stack.disposeAsync(), 60_000);

const preflight = (question: Partial<Parameters<typeof askDomain>[1]> = {}) =>
  askDomain(lab, { ask: 'controller-preflight', ...ways, capturedAt: yesterday, mark, ...question });

test('The only controller of a forest needs no protection, and says so when it cannot be asked any more', async () => {
  const { answer } = await askDomain(lab, { ask: 'mark', computerName: 'DC1' });
  expect(answer).toEqual({
    invocationId: expect.stringMatching(/^[0-9A-F-]{36}$/),
    highestCommittedUsn: expect.stringMatching(/^[1-9]\d+$/),
    otherControllers: [],
  });
  expect(await preflight({ directory: {}, mark: answer })).toMatchObject({
    answer: {
      precondition: { kind: 'ready' },
      plan: {
        lines: [
          { kind: 'warning', sentence: expect.stringMatching(/No controller of the domain could be asked/) },
          { kind: 'warning', sentence: expect.stringMatching(/was the only controller of its forest/) },
          { kind: 'needs-person' },
          { kind: 'change', sentence: 'Nothing is changed in its directory.' },
        ],
      },
    },
  });
}, 600_000);

test('With a partner, its mark is read and objects go both ways', async () => {
  second = stack.use(await lab.addController('DC2', '10.77.0.12'));
  await lab.network.useNameServers(['10.77.0.12', '10.77.0.11'], 'lab.example');
  expect(await askDomain(lab, { ask: 'test-object', ...ways, from: dc1, to: dc2, seconds: 90 })).toEqual({
    answer: true,
  });
  expect(await askDomain(lab, { ask: 'test-object', ...ways, from: dc2, to: dc1, seconds: 90 })).toEqual({
    answer: true,
  });
  const { answer } = await askDomain(lab, { ask: 'mark', ...ways });
  mark = answer as DomainControllerMark;
  expect(mark.otherControllers).toEqual(['DC2']);
}, 600_000);

test('The naive restore loses changes, and the preflight has seen it coming', async () => {
  await lab.controller.stop();
  await copyState(first, image);
  const living = await startController(first);
  await changeMuch('lost');
  await living.stop();

  expect(await preflight()).toMatchObject({
    answer: {
      precondition: { kind: 'ready' },
      plan: {
        lines: expect.arrayContaining([
          {
            kind: 'warning',
            sentence: expect.stringMatching(/USN rollback ahead: partners have changes up to USN/),
          },
          { kind: 'needs-person', sentence: expect.stringMatching(/RID master/) },
          { kind: 'change', sentence: expect.stringMatching(/Database restored from backup/) },
        ]),
        evidence: expect.arrayContaining([{ name: 'verdict', value: 'state-hook-required' }]),
      },
    },
  });
  expect(await preflight({ systemState: { from: 'only-controller-of-forest' } })).toMatchObject({
    answer: {
      precondition: { kind: 'refuse', sentence: expect.stringMatching(/it is not: .*USN rollback/) },
    },
  });
  expect(await preflight({ capturedAt: halfYearAgo })).toMatchObject({
    answer: { precondition: { kind: 'refuse', sentence: expect.stringMatching(/181 days old/) } },
  });

  await restoreState(first, image);
  await using naive = await startController(first);
  // The partner believes that it has these changes already: nothing arrives, and nobody complains.
  expect(
    await askDomain(lab, { ask: 'test-object', ...ways, from: naive.dnsName, to: dc2, seconds: 20 }),
  ).toEqual({
    answer: false,
  });
}, 900_000);

test('A new invocationId before the first start brings everything back, and a partner proves it', async () => {
  await restoreState(first, image);
  const settings = `CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration,${domainContext}`;
  // Twice: the first change is still made under the old name, under which the partner expects nothing new.
  for (const time of ['first', 'second']) {
    await first.run(
      `giving the database a new invocationId, the ${time} time`,
      'ldbmodify',
      ['-H', '/var/lib/samba/private/sam.ldb', '--controls=relax:0'],
      {
        input: Buffer.from(
          `dn: ${settings}\nchangetype: modify\nreplace: invocationId\ninvocationId: ${randomUUID()}\n`,
        ),
      },
    );
  }
  await using cured = await startController(first);
  await until(60, () => has(first, 'lost'));
  const { answer } = await askDomain(lab, { ask: 'controller-confirm', ...ways, mark });
  expect(answer).toMatchObject({
    // What only Windows can tell stays open.
    result: { outcome: 'unverified', sentence: 'The controller has not reported from its first boot.' },
    evidence: expect.arrayContaining([
      { name: 'proved', value: expect.stringMatching(/^DC2 sees the new invocationId/) },
      { name: 'proved', value: 'A test object of the restored controller arrived on the other side.' },
      { name: 'proved', value: 'A test object of the partner arrived on the other side.' },
    ]),
  });
  await cured.stop();
}, 600_000);

test('A partner that does not answer is named; with none, nobody can say whether it may come back', async () => {
  await second.stop();
  const { answer } = await preflight();
  expect(answer).toMatchObject({
    precondition: {
      kind: 'refuse',
      sentence: expect.stringMatching(/No controller of the domain answers.*others are DC2/),
    },
  });
}, 600_000);

/** More updates than a restored controller makes by itself at its start. */
async function changeMuch(name: string): Promise<void> {
  await first.run('adding a user', 'samba-tool', ['user', 'create', name, 'Lost-Passw0rd-1']);
  const changes = Array.from({ length: 80 }, (_, number) =>
    [
      `dn: CN=${name},CN=Users,${domainContext}`,
      'changetype: modify',
      'replace: description',
      `description: ${number}`,
      '',
    ].join('\n'),
  ).join('\n');
  await first.run('changing it often', 'ldbmodify', ['-H', '/var/lib/samba/private/sam.ldb'], {
    input: Buffer.from(changes),
  });
  await until(90, () => has(second.host, name));
}

async function has(controller: SambaHost, name: string): Promise<boolean> {
  const found = await controller.run('looking for a user', 'ldbsearch', [
    '-H',
    '/var/lib/samba/private/sam.ldb',
    `(sAMAccountName=${name})`,
    'description',
  ]);
  return found.includes('description: 79');
}

async function until(seconds: number, done: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`not true after ${seconds} s`);
    await sleep(500);
  }
}
