import { expect, test } from 'vitest';
import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import type { TargetDisks } from '#runtime/steps/choose-disks.ts';
import { recheckDisks } from '#runtime/steps/recheck-disks.ts';
import { somePassport } from '#test/support/some-passport.ts';

const [passportDisk] = somePassport().disks as [PassportDisk];
const shown = { passportDisk, devicePath: '/dev/sda' };
const disks = { targets: [{ disk: shown }] } as unknown as TargetDisks;
const reporter = { say: () => {}, progress: () => {} };
const lookAt = (present: readonly (typeof shown)[]) =>
  recheckDisks.run({ disks, planned: [], source, look: async () => present }, reporter);
const source = { kind: 'http', url: 'https://10.77.0.1:8443' } as const;

test('the same disk under the same name: the restore goes on', async () => {
  await expect(lookAt([shown])).resolves.toMatchObject({ sentence: 'The disks are those that were shown.' });
});
test('another disk of the same size under the name of the one that was confirmed: nothing is written', async () => {
  const other = { ...passportDisk, serial: 'SSD-0002', wwn: 'naa.5000000000000002' };
  await expect(lookAt([{ ...shown, passportDisk: other }])).rejects.toMatchObject({
    code: 'target-unfit',
    cause: new Error('what was shown at the confirmation is EXAMPLE SSD 240, serial SSD-0002 now'),
  });
});
test('the confirmed disk under another name, and nothing under its own: nothing is written', async () => {
  await expect(lookAt([{ ...shown, devicePath: '/dev/sdb' }])).rejects.toMatchObject({
    code: 'target-unfit',
  });
});
