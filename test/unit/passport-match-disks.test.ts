import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareDisks } from '#images/passport/compare-disks.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { matchDisks } from '#images/passport/match-disks.ts';
import { checkIdentity } from '#runtime/steps/check-identity.ts';
import { chooseDisks } from '#runtime/steps/choose-disks.ts';
import { somePassport } from '#test/support/some-passport.ts';

const [first] = somePassport().disks as [PassportDisk];
const port = (number: number) => `0000:00:1f.2/ata${number}`;
const second = { ...first, slot: port(2), serial: 'SSD-0002', wwn: 'naa.2' };
const fresh = { ...first, serial: 'NEW', wwn: 'naa.9' };
const nameless = (changes: Partial<PassportDisk> = {}): PassportDisk => {
  const { serial: _serial, wwn: _wwn, ...facts } = first;
  return { ...facts, ...changes };
};
const match = (wanted: readonly PassportDisk[], present: readonly PassportDisk[]) =>
  matchDisks(
    wanted.map((disk) => [disk]),
    present,
  ).map((each) => (each.kind === 'missing' ? each.why : each.kind === 'same' ? each.by : each.kind));

describe('a disk is known again', () => {
  test.each<[string, PassportDisk[], PassportDisk[], string]>([
    ['by WWN, wherever it is', [first], [{ ...first, slot: port(4) }], 'wwn'],
    ['by serial number and model', [{ ...first, wwn: 'other' }], [first], 'serial'],
    ['by place, model and size when nothing names it', [nameless()], [nameless()], 'place'],
    ['not by an empty serial number', [nameless({ serial: '' })], [nameless({ serial: '' })], 'place'],
    ['not when it has a name now', [nameless()], [first], 'replaced'],
    ['not when a nameless one has another size', [nameless()], [nameless({ sizeBytes: 1 })], 'replaced'],
    ['as replaced by the one in its place', [first], [fresh], 'replaced'],
    ['not by being the only one', [first], [{ ...fresh, slot: port(3) }], `its place ${port(1)} is empty`],
    ['not on a stick', [first], [{ ...fresh, removable: true }], 'what is in its place'],
    ['not when it became removable', [first], [{ ...first, removable: true }], 'what is in its place'],
    ['once only', [first], [first, { ...first, slot: port(3) }], 'twice'],
    ['not as two', [first], [fresh, { ...fresh, wwn: 'naa.8', serial: '8' }], '2 disks are in its place'],
    ['not as another of the station', [first, second], [{ ...second, slot: port(1) }], 'put the disks back'],
  ])('%s', (_, wanted, present, expected) => {
    expect(match(wanted, present)[0]).toContain(expected);
  });
});

/** Where identity and disk choice disagree, a run ends in a contradiction: accepted hardware, no disk to write. */
test('what the passport comparison accepts has a disk to write, and what it refuses has none', () => {
  const disks = fc.uniqueArray(
    fc.record({
      slot: fc.constantFrom(port(1), port(2), port(3)),
      wwn: fc.constantFrom('naa.1', 'naa.2', 'naa.9'),
      removable: fc.boolean(),
    }),
    { maxLength: 3, selector: ({ slot }) => slot },
  );
  const toDisk = (facts: Partial<PassportDisk>): PassportDisk => ({
    ...first,
    ...facts,
    serial: `S ${facts.wwn}`,
  });
  fc.assert(
    fc.property(disks, disks, (expected, found) => {
      const passport: HardwarePassport = {
        ...somePassport(),
        disks: expected.map((facts) => toDisk({ ...facts, removable: false })),
      };
      if (new Set(passport.disks.map(({ wwn }) => wwn)).size < passport.disks.length) return;
      const present = found.map(toDisk);
      const outcome = checkIdentity(passport, passport, passport);
      if (outcome.kind === 'refused') throw new Error('the same passport was refused');
      const image = passport.disks.map(({ removable: _removable, ...facts }, number) => ({
        ...facts,
        number,
        diskIndex: 'x.caibx',
        partitionTable: { kind: 'none' as const, primary: '', backup: '' },
        volumes: [],
      }));
      const choice = chooseDisks(
        outcome.identity,
        image,
        present.map((passportDisk, at) => ({ passportDisk, devicePath: `/dev/sd${at}` })),
      );
      const differences = compareDisks(passport.disks, present);
      const accepted = differences.every(
        ({ severity, sentence }) => severity !== 'fatal' && !sentence.includes('neither can be written'),
      );
      expect(choice.kind === 'chosen').toBe(accepted);
    }),
    { numRuns: 2000 },
  );
});
