import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import { formatInterruptedRestore, noteOffset } from '#runtime/restore/interrupted-restore.ts';
import { chooseCaptureDisks } from '#runtime/steps/capture.ts';
import { somePassport } from '#test/support/some-passport.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-capture-'));
afterAll(() => rmSync(folder, { recursive: true }));
const reporter = { say: () => {}, progress: () => {} };

function choose(content: Buffer, facts: Partial<PassportDisk> = {}) {
  const devicePath = join(folder, 'disk.img');
  writeFileSync(devicePath, content);
  const passport = somePassport();
  const [disk] = passport.disks as [PassportDisk];
  const disks = [{ passportDisk: { ...disk, ...facts }, devicePath }];
  return chooseCaptureDisks.run(
    {
      inventory: {
        passport,
        disks,
        networkDevices: [],
        bootTrust: { secureBoot: 'not-supported', kernelLockdown: 'none' },
      },
    },
    reporter,
  );
}

test('a disk that is built in is captured, one that can be pulled out is not', async () => {
  expect((await choose(Buffer.alloc(1 << 20))).value).toHaveLength(1);
  await expect(choose(Buffer.alloc(1 << 20), { removable: true })).rejects.toMatchObject({
    code: 'target-unfit',
  });
});

test('a disk that a restore left half written is not captured', async () => {
  const content = Buffer.alloc(1 << 20);
  formatInterruptedRestore({ kept: [] }).copy(content, noteOffset);
  await expect(choose(content)).rejects.toMatchObject({
    code: 'target-unfit',
    cause: new Error('a restore of this disk did not come to its end'),
  });
});
