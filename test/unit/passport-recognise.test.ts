import { expect, test } from 'vitest';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { recogniseStation } from '#images/passport/recognise-station.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A machine of the same model with everything of its own. */
function sister(number: number): HardwarePassport {
  const passport = somePassport();
  Object.assign(passport.system, {
    uuid: `3f0c9f0e-51f4-4c5a-9d5a-00000000000${number}`,
    serial: `PP7-100${number}`,
  });
  Object.assign(passport.board, { serial: `B70-100${number}` });
  passport.networkCards = passport.networkCards.map((card, index) => ({
    ...card,
    mac: `52:54:00:00:0${number}:0${index}`,
  }));
  return passport;
}

const registered = [1, 2, 3].map((number) => ({ name: `OS-${number}`, passport: sister(number) }));

test('a station is recognised by all its facts', () => {
  expect(recogniseStation(sister(2), registered)).toEqual({
    kind: 'recognised',
    name: 'OS-2',
    by: [
      'system UUID',
      'system serial',
      'board serial',
      'MAC 52:54:00:00:02:00 in slot 0000:00:02.0',
      'MAC 52:54:00:00:02:01 in slot 0000:00:03.0',
    ],
  });
});

test('a replaced card, and even a reset UUID with it, does not hide the station', () => {
  const machine = sister(2);
  machine.networkCards = machine.networkCards.slice(1);
  Object.assign(machine.system, { uuid: 'ffffffff-ffff-ffff-ffff-ffffffffffff' });
  expect(recogniseStation(machine, registered)).toMatchObject({ kind: 'recognised', name: 'OS-2' });
});

test('one network card of a station in another machine is named and not believed', () => {
  const machine = sister(9);
  machine.networkCards = [...sister(2).networkCards.slice(0, 1), ...machine.networkCards.slice(1)];
  expect(recogniseStation(machine, registered)).toMatchObject({
    kind: 'unknown',
    alike: [{ name: 'OS-2', same: ['MAC 52:54:00:00:02:00 in slot 0000:00:02.0'] }],
  });
});

test('a cloned UUID is named and not believed', () => {
  const machine = sister(9);
  Object.assign(machine.system, { uuid: sister(1).system.uuid });
  expect(recogniseStation(machine, registered)).toMatchObject({
    kind: 'unknown',
    alike: [{ name: 'OS-1', same: ['system UUID'] }],
  });
});

test('placeholders that every machine of a vendor has make nobody a station', () => {
  const placeholders = (original: HardwarePassport) => {
    const passport = structuredClone(original);
    Object.assign(passport.system, {
      uuid: '03000200-0400-0500-0006-000700080009',
      serial: 'Default string',
    });
    Object.assign(passport.board, { serial: 'Default string' });
    return passport;
  };
  const stations = registered.map(({ name, passport }) => ({ name, passport: placeholders(passport) }));
  expect(recogniseStation(placeholders(sister(9)), stations)).toEqual({ kind: 'unknown', alike: [] });
  expect(recogniseStation(placeholders(sister(3)), stations)).toMatchObject({
    kind: 'recognised',
    name: 'OS-3',
  });
});

test('one MAC address is no quorum, even when nothing speaks against it', () => {
  const bare = sister(4);
  Object.assign(bare.system, { uuid: '', serial: '' });
  Object.assign(bare.board, { serial: '' });
  bare.networkCards = bare.networkCards.slice(0, 1);
  expect(recogniseStation(bare, [{ name: 'OS-4', passport: bare }])).toMatchObject({ kind: 'unknown' });
});

test('a station that is registered twice is ambiguous', () => {
  const twice = [...registered, { name: 'OS-2-OLD', passport: sister(2) }];
  const result = recogniseStation(sister(2), twice);
  expect(result.kind).toBe('ambiguous');
  expect(result.kind === 'ambiguous' && result.alike.map(({ name }) => name)).toEqual(['OS-2', 'OS-2-OLD']);
});

test('without stations nobody is known', () => {
  expect(recogniseStation(sister(1), [])).toEqual({ kind: 'unknown', alike: [] });
});
