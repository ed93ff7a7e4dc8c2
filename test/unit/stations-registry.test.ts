import { describe, expect, it } from 'vitest';
import { arm, disarm, findArmed } from '#pxe-server/stations/arming.ts';
import { currentEnrolment, openEnrolment } from '#pxe-server/stations/enrolment-window.ts';
import { chooseStationAddress } from '#pxe-server/stations/station-address.ts';
import {
  addStation,
  findStationByMac,
  findStationByUuid,
  removeStation,
  setComputerName,
  setNetwork,
  setRole,
  updatePassport,
} from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';
import {
  configurationOf,
  knownMac,
  newMac,
  registry,
  reservation,
  station,
  uuid,
} from '#test/support/some-registry.ts';

describe('station registry', () => {
  it('finds a station by any of its cards, and by its UUID', () => {
    const { state } = registry();
    expect(findStationByMac(state, '52:54:00:00:00:02')?.name).toBe(station);
    expect(findStationByMac(state, newMac)).toBeUndefined();
    expect(findStationByUuid(state, uuid.toUpperCase())?.name).toBe(station);
  });

  it('keeps role and computer name that the next image is to carry, and refuses what is no name', () => {
    const { state } = registry();
    setRole(state, station, 'domain-controller');
    setComputerName(state, station, 'PLANT-DC1');
    expect(() => setComputerName(state, station, 'two words')).toThrow('is no computer name');
    expect(findStationByUuid(state, uuid)).toMatchObject({
      role: 'domain-controller',
      computerName: 'PLANT-DC1',
    });
  });

  it('keeps how the runtime reaches the network, and refuses what is no network', () => {
    const { state } = registry();
    setNetwork(state, station, { vlan: 20, address: '10.77.0.20/24', mtu: 9000 });
    expect(findStationByUuid(state, uuid)?.network).toEqual({
      vlan: 20,
      address: '10.77.0.20/24',
      mtu: 9000,
    });
    expect(() => setNetwork(state, station, { router: '10.77.0.1' })).toThrow('a router goes with a fixed');
    expect(() => setNetwork(state, station, { vlan: 4095 })).toThrow(/network of station .*: vlan: /);
  });

  it('does not know a station by a UUID that says nothing', () => {
    const { state } = registry();
    const zeros = '00000000-0000-0000-0000-000000000000';
    const passport = somePassport();
    addStation(state, {
      name: 'ZERO',
      passport: { ...passport, system: { ...passport.system, uuid: zeros }, networkCards: [] },
      by: 'test',
    });
    expect(findStationByUuid(state, zeros)).toBeUndefined();
    expect(findStationByUuid(state, '')).toBeUndefined();
  });

  it('refuses a name, an address or a card twice, and leaves nothing half done', () => {
    const { state } = registry();
    const add = (name: string, more: object) =>
      addStation(state, { name, passport: { ...somePassport(), networkCards: [] }, by: 'test', ...more });
    expect(() => add('os-srv-1a', {})).toThrow('such a station already');
    expect(() => add('OTHER', { address: '10.77.0.20' })).toThrow(`belongs to station ${station}`);
    expect(() => add('OTHER', { passport: somePassport() })).toThrow(`belongs to station ${station}`);
    expect(() => add('no spaces', {})).toThrow('letters, digits and hyphens');
    expect(add('OTHER', {}).name).toBe('OTHER');
  });

  it('takes the cards of a new passport and gives the old ones up', () => {
    const { state, added } = registry();
    const [first, second] = somePassport().networkCards;
    if (first === undefined || second === undefined) throw new Error('two cards');
    updatePassport(state, added.name, {
      ...somePassport(),
      networkCards: [{ ...first, mac: newMac }, second],
    });
    expect(findStationByMac(state, newMac)?.name).toBe(station);
    expect(findStationByMac(state, knownMac)).toBeUndefined();
    removeStation(state, station);
    expect(findStationByMac(state, newMac)).toBeUndefined();
  });
});

describe('windows and arming end by themselves', () => {
  it('closes the enrolment window at its time', () => {
    const { state } = registry();
    openEnrolment(state, { milliseconds: 1000, by: 'test' }, 0);
    expect(currentEnrolment(state, 999)).toMatchObject({ openedBy: 'test' });
    expect(currentEnrolment(state, 1000)).toBeUndefined();
  });

  it('forgets arming at its time, and when a person takes it back', () => {
    const { state } = registry();
    arm(state, {
      station,
      image: `${station}@latest`,
      until: new Date(1000),
      by: 'root',
      acceptsReplaced: false,
    });
    expect(findArmed(state, station, 999)).toMatchObject({ by: 'root' });
    expect(findArmed(state, station, 1000)).toBeUndefined();
    expect(disarm(state, station)).toBe(true);
    expect(disarm(state, station)).toBe(false);
  });
});

describe('address of a new station', () => {
  it('is the first free one of the range, in proxy mode for Secure Boot only, and an error when all are taken', () => {
    expect(chooseStationAddress(reservation, new Set(['10.77.0.20']), false)).toBe('10.77.0.21');
    const proxy = configurationOf('interface: eth1\n');
    expect(chooseStationAddress(proxy, new Set(), true)).toBeUndefined();
    const beside = configurationOf(
      'interface: eth1\ndhcp: { stations: { from: 10.77.0.30, to: 10.77.0.31 } }\n',
    );
    expect(chooseStationAddress(beside, new Set(), false)).toBeUndefined();
    expect(chooseStationAddress(beside, new Set(), true)).toBe('10.77.0.30');
    expect(() => chooseStationAddress(reservation, new Set(['10.77.0.20', '10.77.0.21']), false)).toThrow(
      'taken',
    );
  });
});
