import { expect, test } from 'vitest';
import { type ControllerProofEvidence, judgeControllerProof } from '#pxe-server/domain/controller-proof.ts';
import type { EventLogReading } from '#pxe-server/domain/read-event-log.ts';

const [old, fresh] = ['1FE5E509-F073-4334-B0E3-F43ED96D70E7', '33221100-5544-7766-8899-AABBCCDDEEFF'];
const restoredAt = new Date('2026-11-28T04:00:00Z');
const ownReport = { event1109: true, event2095: false, restoreCount: 1, notWritable: false };
const partner = { computerName: 'DC2', invocationId: fresh };
const log = (strings: readonly string[]): EventLogReading => ({
  controller: 'dc2.lab.example',
  kind: 'read',
  records: [{ number: 7, generated: restoredAt, id: 1587, source: 'NTDS Replication', strings }],
  whole: true,
  clockAheadMs: 0,
});
const whole: ControllerProofEvidence = {
  before: { invocationId: old, restoreCount: 0, restoredAt },
  ownReport,
  partner,
  testObject: { toPartner: true, fromPartner: true },
  logs: [log([old, fresh])],
};

test('With every sign it is done, and each sign is named', () => {
  const proof = judgeControllerProof(whole);
  expect(proof.outcome).toBe('done');
  expect(proof.proved).toHaveLength(8);
  expect(proof.settled).toEqual([
    { item: 'event-1587', note: expect.stringMatching(/^Event 1587 in the log of dc2/) },
    { item: 'replication', note: expect.stringMatching(/restored controller arrived.*partner arrived/) },
  ]);
});

test.each<[string, Partial<ControllerProofEvidence>, RegExp]>([
  ['no event 1109', { ownReport: { ...ownReport, event1109: false, restoreCount: 0 } }, /no event 1109/],
  ['a quarantine that was kept', { ownReport: { ...ownReport, quarantineKept: true } }, /kept itself off/],
  ['event 2095', { ownReport: { ...ownReport, event2095: true } }, /2095/],
  ['Dsa Not Writable', { ownReport: { ...ownReport, notWritable: true } }, /Dsa Not Writable/],
  ['a restore count that stayed', { ownReport: { ...ownReport, restoreCount: 0 } }, /is 0, not 1/],
  ['a restore count that went twice', { ownReport: { ...ownReport, restoreCount: 2 } }, /is 2, not 1/],
  [
    'replication under the old invocationId',
    { partner: { ...partner, invocationId: old } },
    /still has the invocationId/,
  ],
  [
    'a partner that forgot it',
    { partner: { computerName: 'DC2', invocationId: undefined } },
    /does not know it/,
  ],
  [
    'changes that do not leave it',
    { testObject: { toPartner: false, fromPartner: true } },
    /restored controller did not arrive/,
  ],
  [
    'changes that do not reach it',
    { testObject: { toPartner: true, fromPartner: false } },
    /partner did not arrive/,
  ],
])('Failed by %s, whatever else was proved', (_what, change, why) => {
  const proof = judgeControllerProof({ ...whole, ...change });
  expect(proof.outcome).toBe('failed');
  expect(proof.failed.join('\n')).toMatch(why);
  expect(proof.next).toMatch(/off the network now/);
  expect(proof.settled).toEqual([]);
});

test.each<[string, Partial<ControllerProofEvidence>, RegExp]>([
  ['no report yet', { ownReport: undefined as never }, /has not reported/],
  [
    'an event 1109 that was not found, the restore counted',
    { ownReport: { ...ownReport, event1109: false } },
    /1109 was not found/,
  ],
  ['a SYSVOL that is on its way', { ownReport: { ...ownReport, sysvol: 'pending' } }, /SYSVOL has not come/],
  ['an unknown count of before', { before: { invocationId: old, restoredAt } }, /before is not known/],
  ['no partner', { partner: undefined as never }, /No partner/],
  ['an event 1587 of another restore', { logs: [log([old])] }, /does not name its new invocationId/],
  ['no log', { logs: [] }, /no controller could be asked for its log/],
  ['no invocationId in the image', { before: { restoreCount: 0, restoredAt } }, /of the image is not known/],
  [
    'nothing made on the partner',
    { testObject: { toPartner: true } },
    /No test object was made on the partner/,
  ],
  [
    'an old invocationId before anything replicated',
    { partner: { ...partner, invocationId: old }, testObject: { fromPartner: true } },
    /has not replicated yet/,
  ],
])('Unverified with %s', (_what, change, why) => {
  const evidence = Object.fromEntries(
    Object.entries({ ...whole, ...change }).filter(([, value]) => value !== undefined),
  ) as unknown as ControllerProofEvidence;
  const proof = judgeControllerProof(evidence);
  expect(proof.outcome).toBe('unverified');
  expect(proof.unverified.join('\n')).toMatch(why);
});

test('SYSVOL from a partner is a proof; without it alone the directory is not given up', () => {
  const withSysvol = (sysvol: 'from-partner' | 'failed') =>
    judgeControllerProof({ ...whole, ownReport: { ...ownReport, sysvol } });
  expect(withSysvol('from-partner')).toMatchObject({ outcome: 'done' });
  expect(withSysvol('from-partner').proved).toHaveLength(9);
  expect(withSysvol('from-partner').settled.map(({ item }) => item)).toContain('sysvol');
  expect(withSysvol('failed')).toMatchObject({
    outcome: 'failed',
    next: expect.stringMatching(/KB 2218556/),
  });
  const worse = { ...ownReport, sysvol: 'failed', event2095: true } as const;
  expect(judgeControllerProof({ ...whole, ownReport: worse }).next).toMatch(/off the network now/);
});

test('an image whose invocationId nobody knew: the event names the one that the partner sees', () => {
  const before = { restoreCount: 0, restoredAt };
  const own = { ...ownReport, invocationId: fresh };
  expect(judgeControllerProof({ ...whole, before, ownReport: own }).outcome).toBe('done');
  const other = { ...ownReport, invocationId: old };
  expect(judgeControllerProof({ ...whole, before, ownReport: other }).outcome).toBe('unverified');
});
