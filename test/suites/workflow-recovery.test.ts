import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeTurn } from '#images/stores/capture-turn.ts';
import { arm, disarm } from '#pxe-server/stations/arming.ts';
import { setTerminalBus } from '#pxe-server/stations/station-registry.ts';
import { credentials } from '#test/support/api-service.ts';
import { chooseNewest, confirm, expectToFit, leave, logOn } from '#test/support/at-the-console.ts';
import {
  demoDisk,
  makeBlankDisk,
  noise,
  run,
  sha256OfFile,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { startWorkflowSite, station, stationDisk, type WorkflowSite } from '#test/support/workflow-site.ts';

/**
 * The whole program against the real service over TLS: a person at pipes, disks in files. In order, as at a
 * plant: capture, then the disasters.
 */

let site: WorkflowSite;

/** Hash of everything on a disk but one range. */
function sha256OfOthers(file: string, { startByte, sizeBytes }: typeof demoDisk.root): string {
  const end = startByte + sizeBytes;
  return [
    { startByte: 0, sizeBytes: startByte },
    { startByte: end, sizeBytes: demoDisk.sizeBytes - end },
  ]
    .map((range) => sha256OfRange(file, range))
    .join();
}

beforeAll(async () => {
  site = await startWorkflowSite();
});
afterAll(() => site[Symbol.asyncDispose]());

describe('from the log-on to the report', () => {
  test('capture of a station that is known already', async () => {
    const before = sha256OfFile(site.diskFile);
    const sitting = site.capture(site.machineOf(site.diskFile));
    await logOn(sitting);
    await confirm(sitting, 'capture', station);
    await sitting.port.waitFor('is in the image store.');
    expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
    expectToFit(sitting.port.written());
    expect(sha256OfFile(site.diskFile)).toBe(before);
    const { machine } = await site.latestReport();
    expect(machine).toMatchObject({ outcome: 'captured', exitCode: 0 });
    expect(machine.steps.find(({ step }) => step === 'capture-disks')?.sentence).toMatch(
      /New since the last image: .* of .* \(\d+\.\d %\)/,
    );
  });

  test('its next capture waits for its turn, is held back, and says how little is new', async () => {
    const { store, state, configuration } = site.service.context;
    Object.assign(configuration.captures, { terminalBusKBs: 40_000 });
    setTerminalBus(state, station, true);
    const holder = {
      id: 'other',
      station: 'OS-SRV-1B',
      who: 'schmidt',
      since: '2026-11-20T02:00:00Z',
      silenceSeconds: 60,
    };
    const other = await takeTurn(store, holder, { oneAtATime: true, bufferSeconds: 0 });
    const sitting = site.capture(site.machineOf(site.diskFile));
    await logOn(sitting);
    await sitting.port.waitFor('OS-SRV-1B');
    if (other.kind === 'taken') await other.turn.release();
    await confirm(sitting, 'capture', station);
    await sitting.port.waitFor('at most 39.1 MiB/s');
    expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
    expectToFit(sitting.port.written());
    const step = (await site.latestReport()).machine.steps.find(({ step: name }) => name === 'capture-disks');
    expect(step?.sentence).toContain('New since the last image: 0 bytes of');
    setTerminalBus(state, station, false);
  });

  test('a corrupted system: restored, while the newer data volume survives', async () => {
    const damaged = path.join(site.folder, 'damaged.img');
    run('cp', site.diskFile, damaged);
    writeAt(damaged, noise('damage', 3_000_000), demoDisk.root.startByte + 100_000);
    writeAt(damaged, noise('newer projects', 1_000_000), demoDisk.projects.startByte + 8_000_000);
    const projects = sha256OfRange(damaged, demoDisk.projects);

    const sitting = site.recover(site.machineOf(damaged));
    await logOn(sitting);
    await chooseNewest(sitting);
    await confirm(sitting, 'restore', station);
    await sitting.port.waitFor(`${station} is restored.`);
    expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
    expect(sha256OfRange(damaged, demoDisk.projects)).toBe(projects);
    run('e2fsck', '-fn', `${damaged}?offset=${demoDisk.root.startByte}`);
    run('sgdisk', '--verify', damaged);
    expectToFit(sitting.port.written());

    const { machine, startedBy } = await site.latestReport();
    expect(startedBy).toEqual({ how: 'technician', technician: credentials.technician });
    expect(machine).toMatchObject({ outcome: 'restored', exitCode: 0, differences: [] });
    expect(machine.disks[0]?.kept.map(({ what }) => what)).toEqual([expect.stringContaining('PROJECTS')]);
    expect(machine.steps.map(({ step }) => step)).toEqual([
      'start-runtime',
      'read-site',
      'load-drivers',
      'take-passport',
      'bring-up-network',
      'reach-server',
      'ask-armed',
      'log-on',
      'list-images',
      'choose-image',
      'open-job',
      'check-image',
      'check-identity',
      'preflight-hooks',
      'choose-disks',
      'plan-restore',
      'pre-flight',
      'confirm',
      'recheck-disks',
      'lock-disks',
      'restore-disks',
      'repair-boot-entries',
      'apply-hooks',
      'inspect-windows',
    ]);
  });

  test('a blank disk in the place of the old one: a replaced part, named, confirmed and restored whole', async () => {
    const blank = makeBlankDisk(path.join(site.folder, 'blank.img'));
    const disk = { ...stationDisk, serial: 'SSD-NEW', wwn: 'naa.50000000000000ff' };
    const sitting = site.recover(site.machineOf(blank, { disks: [disk] }));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('replaced part: ');
    await sitting.port.waitFor('new in its place');
    await confirm(sitting, 'restore', station);
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expect(sha256OfRange(blank, demoDisk.projects)).toBe(sha256OfRange(site.diskFile, demoDisk.projects));
    expect((await site.latestReport()).machine.confirmed).toHaveLength(1);
  });

  /** The station's own disk, with nothing on it any more. */
  const wipedDisk = (name: string) => makeBlankDisk(path.join(site.folder, name));

  test.each([
    ['RESTORE', 'it is restored as it was in the image', true],
    ['LEAVE', 'nothing is brought back', false],
  ])("the station's own disk, wiped: the data volume is not forgotten; %s", async (word, said, isBack) => {
    const wiped = wipedDisk(`wiped-${word}.img`);
    const sitting = site.recover(site.machineOf(wiped));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('The partition table of this disk is gone');
    await sitting.port.waitFor('Type RESTORE or LEAVE: ');
    sitting.port.type('\r');
    await sitting.port.waitFor('is neither RESTORE nor LEAVE');
    await sitting.port.waitFor('Type RESTORE or LEAVE: ');
    sitting.port.type(`${word}\r`);
    await confirm(sitting, 'restore', station);
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expect(sitting.port.written().replace(/\s+/g, ' ')).toContain(said);
    expectToFit(sitting.port.written());
    run('sgdisk', '--verify', wiped);
    const reference = isBack ? site.diskFile : wipedDisk('zeros.img');
    expect(sha256OfRange(wiped, demoDisk.projects)).toBe(sha256OfRange(reference, demoDisk.projects));
    const [disk] = (await site.latestReport()).machine.disks;
    const ranges = isBack ? disk?.restored : disk?.kept;
    expect(ranges?.map(({ what }) => what)).toContainEqual(expect.stringContaining('PROJECTS'));
  });

  test('wiped and armed: nobody is there to decide, so nothing is written', async () => {
    const wiped = wipedDisk('wiped-armed.img');
    const until = new Date(Date.now() + 60_000);
    arm(site.service.context.state, {
      station,
      image: `${station}@latest`,
      until,
      by: 'schulz',
      acceptsReplaced: false,
    });
    const sitting = site.recover(site.machineOf(wiped));
    await sitting.port.waitFor('(exit code 13)');
    expect(await leave(sitting)).toBe(13);
    expect(sha256OfFile(wiped)).toBe(sha256OfFile(wipedDisk('zeros.img')));
    disarm(site.service.context.state, station);
  });

  test('one volume alone, chosen at the confirmation: every other byte stays', async () => {
    const damaged = path.join(site.folder, 'one-volume.img');
    run('cp', site.diskFile, damaged);
    writeAt(damaged, noise('damaged projects', 3_000_000), demoDisk.projects.startByte + 8_000_000);
    writeAt(damaged, noise('newer system', 1_000_000), demoDisk.root.startByte + 30_000_000);
    const others = sha256OfOthers(damaged, demoDisk.projects);
    const sitting = site.recover(site.machineOf(damaged));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('to start the restore: ');
    sitting.port.type('volumes\r');
    await sitting.port.waitFor('Volumes to restore: ');
    sitting.port.type('D:\r');
    await sitting.port.waitFor('the image has no volume "D:"');
    await sitting.port.waitFor('Volumes to restore: ');
    sitting.port.type('projects\r');
    await confirm(sitting, 'restore', station);
    await sitting.port.waitFor('Type OVERWRITE to lose what is on them now: ');
    sitting.port.type(`${station}\r`);
    await sitting.port.waitFor('is not OVERWRITE');
    await sitting.port.waitFor('Type OVERWRITE to lose what is on them now: ');
    sitting.port.type('OVERWRITE\r');
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expectToFit(sitting.port.written());
    expect(sha256OfRange(damaged, demoDisk.projects)).toBe(sha256OfRange(site.diskFile, demoDisk.projects));
    expect(sha256OfOthers(damaged, demoDisk.projects)).toBe(others);
    expect((await site.latestReport()).machine.disks[0]?.restored).toMatchObject([demoDisk.projects]);
  });

  test('armed: nothing is asked', async () => {
    const blank = path.join(site.folder, 'armed.img');
    run('cp', site.diskFile, blank);
    writeAt(blank, noise('damage', 3_000_000), demoDisk.root.startByte + 100_000);
    const until = new Date(Date.now() + 60_000);
    arm(site.service.context.state, {
      station,
      image: `${station}@latest`,
      until,
      by: 'schulz',
      acceptsReplaced: false,
    });
    const sitting = site.recover(site.machineOf(blank));
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expect(sitting.port.written()).toContain('schulz armed this station');
    expect((await site.latestReport()).startedBy).toEqual({ how: 'armed', technician: 'schulz' });
  });
});
