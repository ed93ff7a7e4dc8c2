import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import { parseConfiguration } from '#pxe-server/config/parse-configuration.ts';
import { markCommitted, openJob } from '#pxe-server/jobs/job-store.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { arm, disarm, findArmed } from '#pxe-server/stations/arming.ts';
import { chooseBoot } from '#pxe-server/stations/choose-boot.ts';
import {
  approveMachine,
  closeEnrolment,
  currentEnrolment,
  openEnrolment,
} from '#pxe-server/stations/enrolment-window.ts';
import { createRegistryDecider } from '#pxe-server/stations/registry-decider.ts';
import { chooseStationAddress } from '#pxe-server/stations/station-address.ts';
import { packFile } from '#pxe-server/stations/station-pack.ts';
import {
  addStation,
  findStationByMac,
  findStationByUuid,
  removeStation,
  setAddress,
  setComputerName,
  setNetwork,
  setRole,
  updatePassport,
} from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';

const station = 'OS-SRV-1A';
const knownMac = '52:54:00:00:00:01' as MacAddress;
const newMac = '52:54:00:00:00:99' as MacAddress;
const uuid = somePassport().system.uuid;

function configurationOf(text: string) {
  const parsed = parseConfiguration(text);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return parsed.configuration;
}

const reservation = configurationOf(
  'interface: eth1\ndhcp: {mode: reservation, stations: {from: 10.77.0.20, to: 10.77.0.21}, router: 10.77.0.1}\n',
);

function registry() {
  const state = openState(':memory:');
  const added = addStation(state, {
    name: station,
    passport: somePassport(),
    address: '10.77.0.20',
    by: 'test',
  });
  return { state, added, decider: createRegistryDecider(state, reservation) };
}

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

describe('what a station boots', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'packs-'));
  const paths = sitePaths(folder);
  mkdirSync(paths.packs);
  writeFileSync(packFile(paths, station), 'a pack');
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The kernel's words, whatever loader formats them, from the menu and armed. */
  function commandLines(state: ReturnType<typeof openState>): string[][] {
    const decider = createRegistryDecider(state, reservation);
    const context = { state, paths, decider, configuration: reservation };
    const question = { mac: knownMac, apiUrl: 'https://10.77.0.1:8443' };
    const choices = [question, { ...question, choice: 'recovery' }];
    return choices.flatMap((each) => {
      const { boot } = chooseBoot(context, each);
      const started = boot.kind === 'menu' ? boot.recovery : boot;
      return started.kind === 'runtime' ? [[...started.commandLine]] : [];
    });
  }

  it('says how it reaches the network, and that it is a declared stand-in', () => {
    const { state } = registry();
    const plain = commandLines(state);
    expect(plain).toHaveLength(2);
    expect(plain.flat().join(' ')).not.toMatch(/rekindle\.(vlan|address|stand-in)/);
    setNetwork(state, station, { vlan: 20, address: '10.77.0.20/24' });
    for (const words of commandLines(state))
      expect(words).toEqual(expect.arrayContaining(['rekindle.vlan=20', 'rekindle.address=10.77.0.20/24']));
    removeStation(state, station);
    addStation(state, { name: station, passport: { ...somePassport(), standIn: true }, by: 'test' });
    for (const words of commandLines(state)) expect(words).toContain('rekindle.stand-in');
  });
});

describe('boot decider over the registry', () => {
  const firmwareKind = 'uefi-x64' as const;

  it('answers stations, and nobody else without an open window', () => {
    const { state, decider } = registry();
    expect(decider.targetFor({ mac: knownMac, firmwareKind })).toEqual({ kind: 'menu', loader: 'ipxe' });
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toMatchObject({ kind: 'not-for-us' });
    expect(decider.addressFor(newMac)).toMatchObject({ kind: 'not-for-us' });
    openEnrolment(state, { milliseconds: 60_000, by: 'test' });
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toEqual({
      kind: 'runtime',
      purpose: 'enrolment',
      loader: 'ipxe',
    });
    expect(decider.addressFor(newMac)).toEqual({ kind: 'enrolment-pool' });
    closeEnrolment(state);
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toMatchObject({ kind: 'not-for-us' });
  });

  it('boots an unknown machine only once it is approved, where the window asks for that', () => {
    const { state, decider } = registry();
    const turnedAway = {
      kind: 'not-for-us',
      reason: `it waits for approval: rekindle enrol approve ${newMac}`,
    };
    expect(approveMachine(state, newMac)).toBeUndefined();
    openEnrolment(state, { milliseconds: 60_000, by: 'test', approved: [] });
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toEqual(turnedAway);
    expect(decider.addressFor(newMac)).toEqual(turnedAway);
    approveMachine(state, newMac);
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toEqual({
      kind: 'runtime',
      purpose: 'enrolment',
      loader: 'ipxe',
    });
    expect(decider.addressFor(newMac)).toEqual({ kind: 'enrolment-pool' });
    // An approval is for one window.
    openEnrolment(state, { milliseconds: 60_000, by: 'test', approved: [] });
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toEqual(turnedAway);
  });

  it('starts the runtime without a key only for a station that is armed', () => {
    const { state, decider } = registry();
    const target = () => decider.targetFor({ mac: knownMac, firmwareKind });
    arm(state, {
      station,
      image: `${station}@latest`,
      until: new Date(Date.now() + 60_000),
      by: 'root',
      acceptsReplaced: false,
    });
    expect(target()).toEqual({ kind: 'runtime', purpose: 'recovery', loader: 'ipxe' });
    disarm(state, station);
    expect(target()).toEqual({ kind: 'menu', loader: 'ipxe' });
  });

  it('gives a station behind a relay the mask, router and name servers of its network', () => {
    const { state } = registry();
    const networks = [{ network: '10.77.0.0/28', router: '10.77.0.14', dns: ['10.77.0.13'] }];
    const dhcp = { ...reservation.dhcp, networks };
    setAddress(state, station, '10.77.0.5');
    expect(createRegistryDecider(state, { ...reservation, dhcp }).addressFor(knownMac)).toMatchObject({
      ip: '10.77.0.5',
      netmask: '255.255.255.240',
      router: '10.77.0.14',
      dns: ['10.77.0.13'],
    });
    setAddress(state, station, '10.77.0.20');
    expect(createRegistryDecider(state, { ...reservation, dhcp }).addressFor(knownMac)).not.toHaveProperty(
      'netmask',
    );
  });

  it('gives a station its address, router and name', () => {
    expect(registry().decider.addressFor(knownMac)).toEqual({
      kind: 'fixed',
      ip: '10.77.0.20',
      hostName: station,
      router: '10.77.0.1',
    });
  });

  it('gives a station with a replaced card its address once its UUID was seen', () => {
    const { decider } = registry();
    expect(decider.addressFor(newMac)).toMatchObject({ kind: 'not-for-us' });
    expect(decider.targetFor({ mac: newMac, uuid, firmwareKind })).toMatchObject({ kind: 'menu' });
    expect(decider.addressFor(newMac)).toMatchObject({ kind: 'fixed', ip: '10.77.0.20' });
  });

  it('recovers a station that has an image, also while a window is open for others', () => {
    const { state, decider } = registry();
    openEnrolment(state, { milliseconds: 60_000, by: 'test' });
    const purpose = () => decider.targetFor({ mac: knownMac, firmwareKind });
    expect(purpose()).toMatchObject({ purpose: 'enrolment' });
    const job = openJob(state, {
      kind: 'capture',
      station,
      imageName: `${station}_20261120T020000Z`,
      manifestSha256: null,
      how: 'technician',
      technician: 'erika',
      machine: knownMac,
    });
    markCommitted(state, job, 'ab'.repeat(32));
    expect(purpose()).toMatchObject({ kind: 'menu' });
    openEnrolment(state, { milliseconds: 60_000, by: 'test', station });
    expect(purpose()).toMatchObject({ purpose: 'enrolment' });
    expect(decider.targetFor({ mac: newMac, firmwareKind })).toMatchObject({ kind: 'not-for-us' });
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
