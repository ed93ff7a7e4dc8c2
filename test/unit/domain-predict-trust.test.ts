import { expect, test } from 'vitest';
import { judgeRejoin } from '#pxe-server/domain/judge-rejoin.ts';
import { predictTrust, type TrustEvidence } from '#pxe-server/domain/predict-trust.ts';

const account = {
  distinguishedName: 'CN=OS1,CN=Computers,DC=lab,DC=example',
  passwordLastSet: new Date('2026-11-01T00:00:00Z'),
  userAccountControl: 0x1000,
  writable: true,
};
const evidence: TrustEvidence = {
  computerName: 'OS1',
  domain: 'lab.example',
  memberOf: 'lab.example',
  account,
  imageTakenAt: new Date('2026-11-10T00:00:00Z'),
  rotationDays: 30,
  now: new Date('2026-11-20T00:00:00Z'),
};
const changedLater = { ...account, passwordLastSet: new Date('2026-11-15T00:00:00Z') };

test.each<[string, Partial<TrustEvidence>, ReturnType<typeof predictTrust>['kind'], RegExp]>([
  ['the password of before the image', {}, 'intact', /is that of the image/],
  ['a password that was changed after the image', { account: changedLater }, 'broken', /will not trust/],
  [
    'an account that was reset',
    { account: { ...account, passwordLastSet: undefined } },
    'broken',
    /was reset/,
  ],
  ['no account', { account: undefined }, 'refused', /no computer account OS1/],
  ['a disabled account', { account: { ...changedLater, userAccountControl: 0x1002 } }, 'refused', /disabled/],
  ['no rights', { account: { ...changedLater, writable: false } }, 'refused', /has no rights/],
  ['another domain', { memberOf: 'old.example' }, 'refused', /member of old\.example, but .* lab\.example/],
  ['the same domain in other letters', { memberOf: 'LAB.Example' }, 'intact', /is that of the image/],
])('Trust with %s', (_what, change, kind, sentence) => {
  const prediction = predictTrust({ ...evidence, ...change });
  expect(prediction.kind).toBe(kind);
  expect(prediction.sentence).toMatch(sentence);
  expect(prediction.next !== undefined).toBe(kind === 'refused');
});

test('An image as old as the rotation period is warned about, one day less is not', () => {
  const at = (days: number) => new Date(evidence.imageTakenAt.getTime() + days * 86_400_000);
  expect(predictTrust({ ...evidence, now: at(30) }).warnings).toEqual([
    'The image is 30 days old; machine passwords change every 30 days.',
  ]);
  expect(predictTrust({ ...evidence, now: at(29) }).warnings).toEqual([]);
});

test('A change within five minutes of the image may be on either side of it: it is repaired', () => {
  const at = (time: string) => ({ ...account, passwordLastSet: new Date(time) });
  expect(predictTrust({ ...evidence, account: at('2026-11-09T23:55:01Z') }).kind).toBe('broken');
  expect(predictTrust({ ...evidence, account: at('2026-11-09T23:55:00Z') }).kind).toBe('intact');
});

test.each<[string, Parameters<typeof judgeRejoin>[0], string]>([
  [
    'a logon after the change is the proof',
    {
      computerName: 'OS1',
      passwordBefore: account.passwordLastSet,
      account: changedLater,
      lastLogon: new Date('2026-11-15T00:00:01Z'),
    },
    'done',
  ],
  [
    'a logon of before proves nothing',
    {
      computerName: 'OS1',
      passwordBefore: account.passwordLastSet,
      account: changedLater,
      lastLogon: new Date('2026-11-14T00:00:00Z'),
    },
    'unverified',
  ],
  [
    'no logon proves nothing',
    { computerName: 'OS1', passwordBefore: undefined, account: changedLater, lastLogon: undefined },
    'unverified',
  ],
  [
    'the old password is no rejoin',
    {
      computerName: 'OS1',
      passwordBefore: account.passwordLastSet,
      account,
      lastLogon: new Date('2026-11-16T00:00:00Z'),
    },
    'failed',
  ],
  [
    'no account is none',
    {
      computerName: 'OS1',
      passwordBefore: account.passwordLastSet,
      account: undefined,
      lastLogon: undefined,
    },
    'failed',
  ],
])('After a rejoin: %s', (_what, rejoined, outcome) => {
  expect(judgeRejoin(rejoined).outcome).toBe(outcome);
});
