import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { markCommitted, openJob } from '#pxe-server/jobs/job-store.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import type { openState } from '#pxe-server/site/state.ts';
import { arm, disarm } from '#pxe-server/stations/arming.ts';
import { chooseBoot } from '#pxe-server/stations/choose-boot.ts';
import { approveMachine, closeEnrolment, openEnrolment } from '#pxe-server/stations/enrolment-window.ts';
import { createRegistryDecider } from '#pxe-server/stations/registry-decider.ts';
import { packFile } from '#pxe-server/stations/station-pack.ts';
import { addStation, removeStation, setAddress, setNetwork } from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { knownMac, newMac, registry, reservation, station, uuid } from '#test/support/some-registry.ts';

/** What a station boots, by what the registry says of it. */

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
