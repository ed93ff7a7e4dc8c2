import { describe, expect, test } from 'vitest';
import { comparePassports } from '#images/passport/compare-passports.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { recogniseStation } from '#images/passport/recognise-station.ts';
import { storageMode } from '#runtime/inventory/storage-controllers.ts';
import { realMachines } from '#test/support/real-machines.ts';

/** What the interlock says about machines that exist (test/support/real-machines.ts names the sources). */

const { powerEdgeT320, kontronKtgm45 } = realMachines;
const severities = (...passports: Parameters<typeof comparePassports>) =>
  comparePassports(...passports).map(({ severity, field }) => `${severity} ${field}`);

describe.each(Object.entries(realMachines))('%s', (name, passport) => {
  test('is a passport, and identical with itself', () => {
    expect(hardwarePassportSchema.parse(passport)).toEqual(passport);
    expect(comparePassports(passport, passport)).toEqual([]);
  });
  test('the mode of every controller is what its class says', () => {
    for (const { id, pciClass, mode } of passport.storageControllers)
      expect(storageMode(id, pciClass)).toBe(mode);
  });
  test('with every serial number empty it is recognised by its cards in their slots, two at least', () => {
    const registered = [{ name, passport }];
    expect(recogniseStation(passport, registered).kind).toBe('recognised');
    const oneCard = { ...passport, networkCards: passport.networkCards.slice(0, 1) };
    expect(recogniseStation(oneCard, registered)).toMatchObject({ kind: 'unknown', alike: [{ name }] });
  });
});

test('one is never taken for the other', () => {
  const fatal = severities(powerEdgeT320, kontronKtgm45).filter((each) => each.startsWith('fatal'));
  expect(fatal).toEqual(
    expect.arrayContaining(['fatal system product', 'fatal board product', 'fatal firmware kind']),
  );
});

test('the two ports of one card, exchanged: fatal, because their order counts', () => {
  const [first, second] = powerEdgeT320.networkCards;
  if (first === undefined || second === undefined) throw new Error('two ports');
  const exchanged = {
    ...powerEdgeT320,
    networkCards: [
      { ...first, mac: second.mac },
      { ...second, mac: first.mac },
    ],
  };
  // With no serial number to go by, nothing else says that it is this unit.
  expect(severities(powerEdgeT320, exchanged)).toEqual([
    'fatal identity',
    'fatal network card 0000:01:00.0',
    'fatal network card 0000:01:00.1',
  ]);
});

test('SATA in AHCI mode where the image was taken in IDE mode: its own sentence, with what to change', () => {
  const switched = {
    ...kontronKtgm45,
    storageControllers: kontronKtgm45.storageControllers.map((controller) =>
      controller.slot === '0000:00:1f.5'
        ? { ...controller, id: '8086:2929', pciClass: '010601', mode: 'ahci' as const }
        : controller,
    ),
  };
  expect(comparePassports(kontronKtgm45, switched).map(({ sentence }) => sentence)).toEqual([
    "The storage controller in slot 0000:00:1f.5 runs in AHCI mode, the station's system was installed in IDE mode and would not start: set SATA mode to IDE in firmware set-up.",
  ]);
});

test('the RAID controller replaced by another model: fatal; by one of the same model: nothing to tell', () => {
  const other = (id: string, subsystem: string) => ({
    ...powerEdgeT320,
    storageControllers: powerEdgeT320.storageControllers.map((controller) =>
      controller.mode === 'raid' ? { ...controller, id, subsystem } : controller,
    ),
  });
  expect(severities(powerEdgeT320, other('1000:005d', '1028:1f49'))).toEqual([
    'fatal storage controller 0000:08:00.0',
  ]);
  expect(severities(powerEdgeT320, other('1000:005b', '1028:1f35'))).toEqual([]);
});
