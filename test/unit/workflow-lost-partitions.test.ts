import { describe, expect, test } from 'vitest';
import type { HookRecord } from '#contract/hook-result.ts';
import type { Volume } from '#images/format/image-manifest.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import { checkIdentity } from '#runtime/steps/check-identity.ts';
import { confirmByArming } from '#runtime/steps/confirm.ts';
import { findLostPartitions } from '#runtime/steps/lost-partitions.ts';
import type { PlannedDisk } from '#runtime/steps/plan-restore.ts';
import { somePassport } from '#test/support/some-passport.ts';

const MiB = 2 ** 20;
const guid = (digit: string) => `${digit.repeat(8)}-1111-1111-1111-111111111111`;
const gpt = (number: number, startMiB: number, name = ''): Partition => ({
  number,
  startByte: startMiB * MiB,
  sizeBytes: 100 * MiB,
  partitionType: guid('F'),
  partitionGuid: guid(String(number)),
  name,
});
const mbr = (number: number, startMiB: number, partitionType: string): Partition => ({
  number,
  startByte: startMiB * MiB,
  sizeBytes: 100 * MiB,
  partitionType,
  name: '',
});
const volume = (partition: Partition): Volume => ({
  ...partition,
  usedBytes: 0,
  capturedAs: 'used-blocks',
  role: 'system',
});
const whole = [{ startByte: 0, sizeBytes: 1000 * MiB }];
const numbersOf = (partitions: readonly Partition[]) => partitions.map(({ number }) => number);

describe('partitions that a restore would lose', () => {
  test('one that was made after the capture', () => {
    const image = { volumes: [volume(gpt(1, 1)), volume(gpt(2, 101))] };
    expect(numbersOf(findLostPartitions([gpt(1, 1), gpt(2, 101), gpt(3, 201)], image, whole))).toEqual([3]);
  });
  test('not one of the image that was moved or resized', () => {
    const grown = { ...gpt(2, 150), sizeBytes: 300 * MiB };
    expect(
      findLostPartitions([gpt(1, 1), grown], { volumes: [volume(gpt(1, 1)), volume(gpt(2, 101))] }, whole),
    ).toEqual([]);
  });
  test('not one that nothing is written to', () => {
    const restored = [{ startByte: 0, sizeBytes: 200 * MiB }];
    expect(findLostPartitions([gpt(3, 200)], { volumes: [volume(gpt(1, 1))] }, restored)).toEqual([]);
  });
  test('without GUIDs: by start and type', () => {
    const image = { volumes: [volume(mbr(1, 1, '07'))] };
    const present = [mbr(1, 1, '07'), mbr(2, 101, '07'), mbr(3, 1, '83')];
    expect(numbersOf(findLostPartitions(present, image, whole))).toEqual([2, 3]);
  });
  test('all of a foreign disk, also when its layout is the same', () => {
    const foreign = { ...gpt(1, 1), partitionGuid: guid('A') };
    expect(numbersOf(findLostPartitions([foreign], { volumes: [volume(gpt(1, 1))] }, whole))).toEqual([1]);
    expect(numbersOf(findLostPartitions([mbr(1, 1, '07')], { volumes: [volume(gpt(1, 1))] }, whole))).toEqual(
      [1],
    );
  });
});

describe('an armed station', () => {
  const passport: HardwarePassport = somePassport();
  const [disk] = passport.disks as [PassportDisk];
  const newDisk = { ...passport, disks: [{ ...disk, serial: 'NEW-1', wwn: 'naa.5000000000000999' }] };
  const shown = (
    lost: readonly Partition[],
    hooks: readonly HookRecord[] = [],
    machine = passport,
    acceptsReplaced = false,
  ) => {
    const outcome = checkIdentity(passport, passport, machine);
    if (outcome.kind === 'refused') throw new Error('the same passport was refused');
    const planned = {
      target: {
        image: { number: 0 },
        disk: { passportDisk: disk, devicePath: '/dev/null' },
        recognisedBy: 'wwn',
      },
      plan: { restored: [], kept: [], warnings: [] },
      lost,
      diskIndexSha256: '',
    } as unknown as PlannedDisk;
    const station = 'OS-SRV-1A' as never;
    return {
      terminal: createTerminal([]),
      station,
      identity: outcome.identity,
      planned: [planned],
      capturedAt: '2026-11-20T02:00:00Z',
      by: { how: 'armed' as const, name: 'schulz', acceptsReplaced },
      hooks,
    };
  };
  const reporter = { say: () => {}, progress: () => {} };

  test('does not overwrite by itself what the image knows nothing of', async () => {
    await expect(confirmByArming.run(shown([gpt(4, 201, 'ARCHIVE')]), reporter)).rejects.toMatchObject({
      code: 'target-unfit',
      cause: new Error('the restore would overwrite partition 4 "ARCHIVE", of which the image knows nothing'),
    });
  });
  test('stops where a hook leaves something to a person', async () => {
    const sentence = 'This controller holds the RID master role.';
    const result = { outcome: 'done', sentence: 'It may be restored.' };
    const plan = [{ kind: 'needs-person', sentence }];
    const record = { title: 'Domain controller', plan, result } as unknown as HookRecord;
    await expect(confirmByArming.run(shown([], [record]), reporter)).rejects.toMatchObject({
      code: 'target-unfit',
      cause: new Error(sentence),
    });
  });
  test('stops at a replaced part, unless whoever armed it meant that too; then it is recorded', async () => {
    await expect(confirmByArming.run(shown([], [], newDisk), reporter)).rejects.toMatchObject({
      code: 'target-unfit',
      cause: { message: expect.stringMatching(/^replaced since .* by nobody: .*disk/) },
      next: expect.stringContaining('--accept-replaced'),
    });
    const { value } = await confirmByArming.run(shown([], [], newDisk, true), reporter);
    expect(value.replacedParts).toHaveLength(1);
  });
  test('goes on where nothing of that kind is on the disk', async () => {
    expect((await confirmByArming.run(shown([]), reporter)).value).toMatchObject({
      how: 'armed',
      by: 'schulz',
    });
  });
});
