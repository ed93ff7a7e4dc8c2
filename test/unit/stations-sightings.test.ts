import { describe, expect, test } from 'vitest';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { openState } from '#pxe-server/site/state.ts';
import { lookAtMachine, meetMachine } from '#pxe-server/stations/recognise-machine.ts';
import { continueDrift, readSighting, recordSighting } from '#pxe-server/stations/sightings.ts';
import { addStation, getStation, updatePassport } from '#pxe-server/stations/station-registry.ts';
import { formatHardware } from '#scripts/station-lines.ts';
import { somePassport } from '#test/support/some-passport.ts';

const name = 'OS-SRV-1A';
const monday = new Date('2026-11-23T06:00:00Z');
const friday = new Date('2026-11-27T06:00:00Z');

function registered() {
  const state = openState(':memory:');
  const station = addStation(state, { name, passport: somePassport(), by: 'test' });
  return { state, station };
}

const withNewDisk = (): HardwarePassport => {
  const passport = somePassport();
  const [disk] = passport.disks;
  if (disk === undefined) throw new Error('the passport has no disk');
  return { ...passport, disks: [{ ...disk, serial: 'SSD-0099', wwn: 'naa.5000000000000099' }] };
};

describe('drift', () => {
  test('a machine as registered has none; one that was never seen says so', () => {
    const { state, station } = registered();
    expect(readSighting(state, station)).toBeUndefined();
    expect(formatHardware(undefined, [])).toEqual(['  hardware    not seen since it was registered']);
    recordSighting(state, station, somePassport(), monday);
    expect(readSighting(state, station)).toMatchObject({ seenAt: monday, drift: [] });
    expect(formatHardware(readSighting(state, station), [])).toEqual([
      '  hardware    as registered, last seen 2026-11-23 06:00 UTC',
    ]);
  });

  test('a difference keeps the day it was first seen; one that came later has its own', () => {
    const { state, station } = registered();
    recordSighting(state, station, withNewDisk(), monday);
    const moreMemory = { ...withNewDisk(), memoryBytes: 16 * 1024 ** 3 };
    recordSighting(state, station, moreMemory, friday);
    const drift = readSighting(state, station)?.drift ?? [];
    expect(drift.map(({ field, severity, since }) => [field, severity, since])).toEqual([
      ['memory', 'note', friday],
      ['disk 0000:00:1f.2/ata1', 'replaced-part', monday],
    ]);
    expect(formatHardware(readSighting(state, station), [])[1]).toContain(
      'since 2026-11-27 06:00 UTC (note): ',
    );
  });

  test('a part that is put back and taken out again counts from its second time', () => {
    const [difference] = [
      { field: 'memory', found: '1', expected: '2', severity: 'note', sentence: '' },
    ] as const;
    const first = continueDrift([difference], {}, 1);
    expect(continueDrift([difference], first, 2)).toEqual(first);
    expect(continueDrift([difference], continueDrift([], first, 2), 3)).toEqual({ 'memory\n1': 3 });
  });

  test('what was confirmed meanwhile is no drift any more', () => {
    const { state, station } = registered();
    recordSighting(state, station, withNewDisk(), monday);
    updatePassport(state, station.name, withNewDisk());
    expect(readSighting(state, getStation(state, name))?.drift).toEqual([]);
  });

  test('images that fit and those that do not are listed with why', () => {
    const fits = [
      { ref: `${name}@20261127T060000Z`, fits: true, reasons: [] },
      { ref: `${name}@20261101T060000Z`, fits: false, reasons: ['The main board is another.'] },
    ];
    expect(formatHardware(undefined, fits).slice(1)).toEqual([
      `  image       ${name}@20261127T060000Z fits`,
      `  image       ${name}@20261101T060000Z DOES NOT FIT: The main board is another.`,
    ]);
  });
});

describe('who a machine is, and what is odd about it', () => {
  /** Another unit of the same model. */
  const sister = (): HardwarePassport => {
    const passport = somePassport();
    return {
      ...passport,
      system: { ...passport.system, serial: 'PP7-0002', uuid: '3f0c9f0e-51f4-4c5a-9d5a-0d6f6c1b2a02' },
      board: { ...passport.board, serial: 'B70-0043' },
      networkCards: passport.networkCards.map((card, at) => ({ ...card, mac: `52:54:00:00:00:1${at}` })),
    };
  };
  const [card] = somePassport().networkCards;

  test('meeting a station keeps how it looks', () => {
    const { state, station } = registered();
    expect(meetMachine(state, withNewDisk())).toMatchObject({ station: { name }, oddities: [] });
    expect(readSighting(state, station)?.drift).toHaveLength(1);
  });

  test('a cloned UUID is named', () => {
    const { state } = registered();
    const clone = { ...sister(), system: { ...sister().system, uuid: somePassport().system.uuid } };
    const look = meetMachine(state, clone);
    expect(look.station).toBeUndefined();
    expect(look.oddities.join()).toContain(`It has the system UUID of ${name}, but not its system serial`);
    expect(look.oddities.join()).toContain('the UUID was cloned');
  });

  test('a network card of a station in the same slot of another machine is named', () => {
    const { state } = registered();
    const moved = { ...sister(), networkCards: [card, ...sister().networkCards.slice(1)] as never };
    const { station, oddities } = lookAtMachine(state, moved);
    expect(station).toBeUndefined();
    expect(oddities).toHaveLength(1);
    expect(oddities[0]).toContain(
      "a network card was moved, or it is a docking station's that both use; this is another machine",
    );
  });

  test('a card of another station in another slot of a known one is named, and the station recognised', () => {
    const { state } = registered();
    addStation(state, { name: 'OS-SRV-1B', passport: sister(), by: 'test' });
    const swapped = { ...sister(), networkCards: [...sister().networkCards] };
    swapped.networkCards[1] = { ...(card as NonNullable<typeof card>), slot: '0000:00:03.0' };
    const { station, oddities } = lookAtMachine(state, swapped);
    expect(station?.name).toBe('OS-SRV-1B');
    expect(oddities).toEqual([
      `The network card 52:54:00:00:00:01 in slot 0000:00:03.0 belongs to ${name}: it was moved here, or it is a docking station's that both use. Put it back, or both stations will be mistaken for each other by the network.`,
    ]);
  });

  test('a machine that has nothing of anybody is told nothing', () => {
    const { state } = registered();
    expect(lookAtMachine(state, sister())).toEqual({ station: undefined, oddities: [] });
  });
});
