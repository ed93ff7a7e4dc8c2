import { expect, test } from 'vitest';
import {
  type ControllerEvidence,
  type DirectoryView,
  judgeController,
  type PartnerController,
} from '#pxe-server/domain/controller-preflight.ts';

const id = '1FE5E509-F073-4334-B0E3-F43ED96D70E7';
const controllerAccount = {
  distinguishedName: 'CN=DC1,OU=Domain Controllers,DC=lab,DC=example',
  passwordLastSet: new Date('2026-11-01T00:00:00Z'),
  userAccountControl: 0x82000,
  writable: false,
};
const partner = (usn: bigint, computerName = 'DC2'): PartnerController => ({
  computerName,
  reachable: true,
  vectors: [[{ invocationId: id, usn }], [{ invocationId: id, usn: 1n }]],
});
const silent: PartnerController = { computerName: 'DC3', reachable: false, why: 'ECONNREFUSED' };
const directory: DirectoryView = {
  account: controllerAccount,
  registeredInvocationId: id,
  partners: [partner(4292n)],
  tombstoneLifetimeDays: 180,
  roles: [],
};
const evidence: ControllerEvidence = {
  computerName: 'DC1',
  manifestSaysController: true,
  imageTakenAt: new Date('2026-11-10T00:00:00Z'),
  mark: { invocationId: id, highestCommittedUsn: '4284', otherControllers: ['DC2'] },
  directory,
  now: new Date('2026-11-20T00:00:00Z'),
};
const seen = (change: Partial<DirectoryView>): Partial<ControllerEvidence> => ({
  directory: { ...directory, ...change },
});

test.each<[string, Partial<ControllerEvidence>, ReturnType<typeof judgeController>['kind'], RegExp]>([
  [
    'partners that are ahead of the image',
    {},
    'state-hook-required',
    /rollback ahead: .* 4292, .* 4284 \(8 less\)/,
  ],
  [
    'partners at exactly the image',
    seen({ partners: [partner(4284n)] }),
    'state-hook-required',
    /exactly what/,
  ],
  [
    'partners behind the image',
    seen({ partners: [partner(4000n)] }),
    'state-hook-required',
    /no answering partner has/,
  ],
  [
    'the highest partner of several',
    seen({ partners: [partner(10n), partner(4300n, 'DC3')] }),
    'state-hook-required',
    /4300/,
  ],
  [
    'a partner that never heard of it',
    seen({ partners: [{ computerName: 'DC2', reachable: true, vectors: [[]] }] }),
    'state-hook-required',
    /ever had a change/,
  ],
  [
    'a vector that may not be read',
    seen({ partners: [{ computerName: 'DC2', reachable: true, vectors: [] }] }),
    'state-hook-required',
    /may not read/,
  ],
  [
    'a silent partner beside one that answers',
    seen({ partners: [partner(4292n), silent] }),
    'state-hook-required',
    /DC3 does not answer: ECONNREFUSED/,
  ],
  [
    'silent partners only',
    seen({ partners: [silent] }),
    'state-hook-required',
    /No partner could be compared/,
  ],
  ['an image without a mark', { mark: undefined }, 'state-hook-required', /no invocationId/],
  [
    'a database that was restored before',
    seen({ registeredInvocationId: '00000000-0000-4000-8000-000000000000' }),
    'state-hook-required',
    /another invocationId now/,
  ],
  ['no partner at all', seen({ partners: [] }), 'sole-controller', /only controller/],
  [
    'nobody to ask, and none when the image was taken',
    {
      directory: { unreachable: 'ETIMEDOUT' },
      mark: { invocationId: id, highestCommittedUsn: '1', otherControllers: [] },
    },
    'sole-controller',
    /ETIMEDOUT/,
  ],
])('A controller with %s', (_what, change, kind, finding) => {
  const verdict = judgeController({ ...evidence, ...change });
  expect(verdict.kind).toBe(kind);
  expect(verdict.findings.join('\n')).toMatch(finding);
});

test.each<[string, Partial<ControllerEvidence>, RegExp]>([
  [
    'nobody to ask, but others when the image was taken',
    { directory: { unreachable: 'ETIMEDOUT' } },
    /nobody can say .*others are DC2/,
  ],
  [
    'nobody to ask, and no mark',
    { directory: { unreachable: 'ETIMEDOUT' }, mark: undefined },
    /does not say whether/,
  ],
  ['no account any more', seen({ account: undefined }), /does not know DC1 .* any more/],
  ['removed metadata', seen({ registeredInvocationId: undefined }), /metadata were removed/],
  ['an image as old as the tombstones', { now: new Date('2027-05-09T00:00:00Z') }, /180 days old/],
  [
    'a manifest that says member',
    { manifestSaysController: false },
    /manifest .* no domain controller, and the directory says that it is a domain controller/,
  ],
  [
    'a directory that says member',
    seen({ account: { ...controllerAccount, userAccountControl: 0x1000 } }),
    /the directory says that it is no domain controller/,
  ],
  [
    'a registry that says member server',
    { registryRole: 'server' },
    /registry says that it is no domain controller/,
  ],
  [
    'a manifest and registry that disagree, with nobody to ask',
    { registryRole: 'server', directory: { unreachable: 'x' } },
    /registry/,
  ],
])('Refused: %s', (_what, change, why) => {
  const verdict = judgeController({ ...evidence, ...change });
  expect(verdict.kind).toBe('refused');
  if (verdict.kind === 'refused') expect(verdict.why).toMatch(why);
  // Controllers are named in the hook plan, and nowhere else.
  if (verdict.kind === 'refused') expect(verdict.next).not.toContain('rekindle.yaml');
});

test('One day before the tombstones end it is not refused', () => {
  expect(judgeController({ ...evidence, now: new Date('2027-05-08T00:00:00Z') }).kind).toBe(
    'state-hook-required',
  );
});

test('A member that all call a member is no controller', () => {
  const account = { ...controllerAccount, userAccountControl: 0x1000 };
  const verdict = judgeController({
    ...evidence,
    ...seen({ account }),
    manifestSaysController: false,
    registryRole: 'workstation',
  });
  expect(verdict.kind).toBe('no-controller');
});

test('Roles, and a sole controller that nobody can confirm, are for a person to confirm', () => {
  const roles = judgeController({ ...evidence, ...seen({ roles: ['RID master', 'PDC emulator'] }) });
  expect(roles.kind === 'state-hook-required' && roles.confirm).toHaveLength(2);
  const alone = judgeController({
    ...evidence,
    directory: { unreachable: 'ETIMEDOUT' },
    mark: { invocationId: id, highestCommittedUsn: '1', otherControllers: [] },
  });
  expect(alone.kind === 'sole-controller' && alone.confirm).toEqual([
    'No other domain controller was added since the image was taken.',
  ]);
});
