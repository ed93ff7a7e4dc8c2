import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTool } from '#base/run-tool.ts';
import type { Evidence, SettledItem } from '#contract/hook-result.ts';
import type { DomainControllerMark } from '#images/format/image-manifest.ts';
import { formatImageRef, formatUtc } from '#images/format/image-name.ts';
import { formatPublicKey, generateKeyPair } from '#images/format/minisign.ts';
import {
  addTestContainer,
  delegated,
  domainContext,
  testContainer,
} from '#scripts/rehearsal/domain/delegated-account.ts';
import { type RunningController, startController } from '#scripts/rehearsal/domain/lab-controller.ts';
import { type LabDomain, startLabDomain } from '#scripts/rehearsal/domain/lab-domain.ts';
import { copyState, restoreState, type SambaHost } from '#scripts/rehearsal/domain/samba-host.ts';
import { createLabNetwork } from '#scripts/rehearsal/lab-network.ts';
import { askDomain } from '#test/support/ask-domain.ts';
import { addToEventLogReaders, type LabEvent, writeEvents } from '#test/support/lab-event-log.ts';
import { writeSystemState } from '#test/support/system-state-in-store.ts';

/**
 * A domain controller is put back to an image while its partner lives on. Samba has no quarantine and writes no events:
 * what it proves is that the rule sees the rollback, that the damage is real, and that a new invocationId mends it. Its
 * event log is served as Windows serves its own; what stands in it is written by the test.
 */
const stack = new AsyncDisposableStack();
let lab: LabDomain;
let first: SambaHost;
let second: RunningController;
let folder: string;
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
  folder = await mkdtemp(path.join(tmpdir(), 'rekindle-controllers-'));
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
  await systemStateFromStore();
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
  const restoredAt = new Date();
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
  const { answer } = await askDomain(lab, { ask: 'controller-confirm', ...ways, mark, restoredAt });
  expect(answer).toMatchObject({
    // What only Windows can tell stays open.
    result: { outcome: 'unverified', sentence: 'The controller has not reported from its first boot.' },
    evidence: expect.arrayContaining([
      { name: 'proved', value: expect.stringMatching(/^DC2 sees the new invocationId/) },
      { name: 'proved', value: 'A test object of the restored controller arrived on the other side.' },
      { name: 'proved', value: 'A test object of the partner arrived on the other side.' },
      ...[dc1, dc2].map((controller) => ({
        name: 'unverified',
        value: expect.stringMatching(notAllowed(controller)),
      })),
    ]),
    settled: [{ item: 'replication' }],
  });
  await provedByEvent1587(restoredAt);
  await cured.stop();
}, 600_000);

/** With a system state in the store the plan names it, and the runtime gets just that one. */
async function systemStateFromStore(): Promise<void> {
  const key = generateKeyPair();
  const store = path.join(folder, 'store');
  const fromStore = {
    ...{ store, publicKey: formatPublicKey(key) },
    systemState: { from: 'backup-in-store', version: 'latest', drive: 'D:' },
  };
  await mkdir(store);
  expect(await preflight(fromStore)).toEqual({
    failure: expect.stringMatching(/system state DC1@latest .*there is none[\s\S]*system-state add/),
  });
  const putState = (at: Date) => {
    const { name } = writeSystemState(store, key, { station: 'DC1', utc: formatUtc(at) });
    return formatImageRef(name);
  };
  putState(halfYearAgo);
  expect(await preflight(fromStore)).toMatchObject({
    answer: {
      precondition: { kind: 'refuse', sentence: expect.stringMatching(/181 days old, and the for/) },
    },
  });
  const value = putState(yesterday);
  expect(await preflight(fromStore)).toMatchObject({
    answer: {
      precondition: { kind: 'ready' },
      plan: {
        lines: expect.arrayContaining([
          { kind: 'change', sentence: expect.stringMatching(/\(1 days old, .* from the store to D: before/) },
          { kind: 'change', sentence: expect.stringMatching(/wbadmin restores the system state from D:/) },
        ]),
        evidence: expect.arrayContaining([{ name: 'system state', value }]),
      },
    },
  });
}

const notAllowed = (controller: string): RegExp =>
  new RegExp(
    `log of ${controller} was not read .event 1587.: svc-rejoin of .*may not read it.*Event Log Readers`,
  );

/** Of the partner, while the restored controller runs. */
async function provedByEvent1587(restoredAt: Date): Promise<void> {
  const confirm = async () => {
    const { answer } = await askDomain(lab, {
      ask: 'controller-confirm',
      ...ways,
      container: '',
      mark,
      restoredAt,
    });
    return answer as { evidence: Evidence[]; settled: SettledItem[] };
  };
  const eventsIn = async () => {
    const { evidence, settled } = await confirm();
    const found = evidence.filter(({ value }) => value.includes('1587'));
    return { found: found.map(({ name, value }) => `${name}: ${value}`), settled };
  };
  const { answer } = (await askDomain(lab, { ask: 'mark', ...ways })) as { answer: DomainControllerMark };
  const event = (invocationId: string, at = new Date()): LabEvent => ({
    ...{ at, id: 1587, source: 'NTDS Replication' },
    strings: [randomUUID(), '11203', mark.invocationId, '11305', '11305', invocationId, '11203', '11203'],
  });
  await addToEventLogReaders(second.host, delegated.account);

  await writeEvents(second.host, [event(answer.invocationId, new Date(restoredAt.getTime() - 7_200_000))]);
  expect((await eventsIn()).found).toContainEqual(
    expect.stringMatching(
      /^unverified: There is no event 1587 since .*dc2.*the last one is of .*, before it/,
    ),
  );
  await writeEvents(second.host, [event(randomUUID())]);
  expect(await eventsIn()).toEqual({
    found: expect.arrayContaining([
      expect.stringMatching(/^unverified: Event 1587 in the log of dc2.*does not name its new invocationId/),
      // It has no group's rights there.
      expect.stringMatching(notAllowed(dc1)),
    ]),
    settled: [],
  });
  const later: LabEvent = { at: new Date(), id: 1869, source: 'NTDS General', strings: [] };
  await writeEvents(second.host, [event(answer.invocationId.toLowerCase()), later]);
  expect(await eventsIn()).toMatchObject({
    found: [expect.stringMatching(/^proved: Event 1587 in the log of dc2.lab.example .*names its new/)],
    settled: [{ item: 'event-1587' }],
  });
}

test('A log that cannot be read is said to be so, with the reason', async () => {
  const read = async (more: object = {}) =>
    (await askDomain(lab, { ask: 'event-log', ...ways, from: dc2, ...more }))['answer'];
  expect(await read()).toMatchObject({ kind: 'read', whole: true, clockAheadMs: expect.any(Number) });

  const passwordFile = path.join(folder, 'wrong.password');
  await writeFile(passwordFile, 'Not-its-passw0rd\n', { mode: 0o600 });
  expect(await read({ directory: { ...both, passwordFile } })).toMatchObject({
    ...{
      kind: 'unread',
      why: expect.stringMatching(/refuses name or password/),
      next: expect.stringMatching(/password file/),
    },
  });
  const nft = (...rule: string[]) => {
    const [program, ...args] = lab.network.inside(['nft', ...rule]);
    return runTool('closing a port', { command: program, debianPackage: 'nftables' }, args);
  };
  await nft('add table inet closed; add chain inet closed out { type filter hook output priority 0; }');
  // Samba's clients try SMB's older port next.
  await nft('add rule inet closed out tcp dport { 139, 445 } reject with tcp reset');
  expect(await read()).toMatchObject({
    ...{
      kind: 'unread',
      why: expect.stringMatching(/does not answer by SMB/),
      next: expect.stringMatching(/port 445/),
    },
  });
  await nft('delete table inet closed');
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
