import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runReportSchema } from '#contract/run-report.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { takeTurn } from '#images/stores/capture-turn.ts';
import { arm, disarm } from '#pxe-server/stations/arming.ts';
import { addStation, setTerminalBus } from '#pxe-server/stations/station-registry.ts';
import { lineColumns } from '#runtime/console/layout.ts';
import { type ApiService, credentials, startApiService } from '#test/support/api-service.ts';
import { fileMachine, sitDown } from '#test/support/file-machine.ts';
import {
  demoDisk,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfFile,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { renderScreen } from '#test/support/terminal-screen.ts';

/**
 * The whole program against the real service over TLS: a person at pipes, disks in files. In order, as at a
 * plant: capture, then the disasters.
 */

const station = 'OS-SRV-1A';
const [someDisk] = somePassport().disks as [PassportDisk];
const stationDisk = { ...someDisk, sizeBytes: demoDisk.sizeBytes };
const healthy: HardwarePassport = { ...somePassport(), disks: [stationDisk] };
const folder = makeTemporaryFolder();
let service: ApiService;
let diskFile = '';

const machineOf = (file: string, changes: Partial<HardwarePassport> = {}) => {
  const passport = { ...healthy, ...changes };
  const [passportDisk = stationDisk] = passport.disks;
  return fileMachine({ site: service, passport, disks: [{ passportDisk, devicePath: file }] });
};
const recover = (machine: ReturnType<typeof fileMachine>, dryRun = false) =>
  sitDown(machine, { server: service.url, purpose: 'recovery', dryRun });

/** Every line that was ever on the screen fits on it. */
function expectToFit(written: string): void {
  for (const line of renderScreen(written, 80, 100_000)) expect(line.length).toBeLessThanOrEqual(lineColumns);
}

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

type Sitting = ReturnType<typeof sitDown>;
async function logOn({ port }: Sitting): Promise<void> {
  await port.waitFor('Technician: ');
  port.type(`${credentials.technician}\r`);
  await port.waitFor('Password: ');
  port.type(`${credentials.password}\r`);
}
async function chooseNewest({ port }: Sitting): Promise<void> {
  await port.waitFor('Image [1]: ');
  port.type('\r');
}
async function confirm({ port }: Sitting): Promise<void> {
  await port.waitFor(`Type ${station} to start the restore: `);
  port.type(`${station}\r`);
}
async function leave({ port, result }: Sitting): Promise<number> {
  await port.waitFor('Choose 1 to 4: ');
  port.type('4\r');
  expect((await result).end).toBe('power-off');
  expectToFit(port.written());
  return (await result).exitCode;
}
function latestReport() {
  const reports = path.join(service.context.paths.reports, station);
  // Two runs may begin in one second, and then their folders' names do not tell which was later.
  const files = readdirSync(reports).map((folder) => path.join(reports, folder, 'report.json'));
  const newest = files.toSorted((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs).at(-1) ?? '';
  return runReportSchema.parse(JSON.parse(readFileSync(newest, 'utf8')));
}

beforeAll(async () => {
  service = await startApiService();
  diskFile = makeDemoDisk(folder.path);
  addStation(service.context.state, { name: station, passport: healthy, by: 'the test' });
});
afterAll(async () => {
  await service.close();
  folder[Symbol.dispose]();
});

describe('from the log-on to the report', () => {
  test('capture of a station that is known already', async () => {
    const before = sha256OfFile(diskFile);
    const sitting = sitDown(machineOf(diskFile), { server: service.url, purpose: 'enrolment' });
    await logOn(sitting);
    await sitting.port.waitFor(`Type ${station} to start the capture: `);
    sitting.port.type(`${station}\r`);
    await sitting.port.waitFor('is in the image store.');
    expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
    expectToFit(sitting.port.written());
    expect(sha256OfFile(diskFile)).toBe(before);
    const { machine } = latestReport();
    expect(machine).toMatchObject({ outcome: 'captured', exitCode: 0 });
    expect(machine.steps.find(({ step }) => step === 'capture-disks')?.sentence).toMatch(
      /New since the last image: .* of .* \(\d+\.\d %\)/,
    );
  });

  test('its next capture waits for its turn, is held back, and says how little is new', async () => {
    const { store, state, configuration } = service.context;
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
    const sitting = sitDown(machineOf(diskFile), { server: service.url, purpose: 'enrolment' });
    await logOn(sitting);
    await sitting.port.waitFor('OS-SRV-1B');
    if (other.kind === 'taken') await other.turn.release();
    await sitting.port.waitFor(`Type ${station} to start the capture: `);
    sitting.port.type(`${station}\r`);
    await sitting.port.waitFor('at most 39.1 MiB/s');
    expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
    expectToFit(sitting.port.written());
    const step = latestReport().machine.steps.find(({ step: name }) => name === 'capture-disks');
    expect(step?.sentence).toContain('New since the last image: 0 bytes of');
    setTerminalBus(state, station, false);
  });

  test('a corrupted system: restored, while the newer data volume survives', async () => {
    const damaged = path.join(folder.path, 'damaged.img');
    run('cp', diskFile, damaged);
    writeAt(damaged, noise('damage', 3_000_000), demoDisk.root.startByte + 100_000);
    writeAt(damaged, noise('newer projects', 1_000_000), demoDisk.projects.startByte + 8_000_000);
    const projects = sha256OfRange(damaged, demoDisk.projects);

    const sitting = recover(machineOf(damaged));
    await logOn(sitting);
    await chooseNewest(sitting);
    await confirm(sitting);
    await sitting.port.waitFor(`${station} is restored.`);
    expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
    expect(sha256OfRange(damaged, demoDisk.projects)).toBe(projects);
    run('e2fsck', '-fn', `${damaged}?offset=${demoDisk.root.startByte}`);
    run('sgdisk', '--verify', damaged);
    expectToFit(sitting.port.written());

    const { machine, startedBy } = latestReport();
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
    const blank = makeBlankDisk(path.join(folder.path, 'blank.img'));
    const disk = { ...stationDisk, serial: 'SSD-NEW', wwn: 'naa.50000000000000ff' };
    const sitting = recover(machineOf(blank, { disks: [disk] }));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('replaced part: ');
    await sitting.port.waitFor('new in its place');
    await confirm(sitting);
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expect(sha256OfRange(blank, demoDisk.projects)).toBe(sha256OfRange(diskFile, demoDisk.projects));
    expect(latestReport().machine.confirmed).toHaveLength(1);
  });

  /** The station's own disk, with nothing on it any more. */
  const wipedDisk = (name: string) => makeBlankDisk(path.join(folder.path, name));

  test.each([
    ['RESTORE', 'it is restored as it was in the image', true],
    ['LEAVE', 'nothing is brought back', false],
  ])("the station's own disk, wiped: the data volume is not forgotten; %s", async (word, said, isBack) => {
    const wiped = wipedDisk(`wiped-${word}.img`);
    const sitting = recover(machineOf(wiped));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('The partition table of this disk is gone');
    await sitting.port.waitFor('Type RESTORE or LEAVE: ');
    sitting.port.type('\r');
    await sitting.port.waitFor('is neither RESTORE nor LEAVE');
    await sitting.port.waitFor('Type RESTORE or LEAVE: ');
    sitting.port.type(`${word}\r`);
    await confirm(sitting);
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expect(sitting.port.written().replace(/\s+/g, ' ')).toContain(said);
    expectToFit(sitting.port.written());
    run('sgdisk', '--verify', wiped);
    const reference = isBack ? diskFile : wipedDisk('zeros.img');
    expect(sha256OfRange(wiped, demoDisk.projects)).toBe(sha256OfRange(reference, demoDisk.projects));
    const [disk] = latestReport().machine.disks;
    const ranges = isBack ? disk?.restored : disk?.kept;
    expect(ranges?.map(({ what }) => what)).toContainEqual(expect.stringContaining('PROJECTS'));
  });

  test('wiped and armed: nobody is there to decide, so nothing is written', async () => {
    const wiped = wipedDisk('wiped-armed.img');
    const until = new Date(Date.now() + 60_000);
    arm(service.context.state, {
      station,
      image: `${station}@latest`,
      until,
      by: 'schulz',
      acceptsReplaced: false,
    });
    const sitting = recover(machineOf(wiped));
    await sitting.port.waitFor('(exit code 13)');
    expect(await leave(sitting)).toBe(13);
    expect(sha256OfFile(wiped)).toBe(sha256OfFile(wipedDisk('zeros.img')));
    disarm(service.context.state, station);
  });

  test('one volume alone, chosen at the confirmation: every other byte stays', async () => {
    const damaged = path.join(folder.path, 'one-volume.img');
    run('cp', diskFile, damaged);
    writeAt(damaged, noise('damaged projects', 3_000_000), demoDisk.projects.startByte + 8_000_000);
    writeAt(damaged, noise('newer system', 1_000_000), demoDisk.root.startByte + 30_000_000);
    const others = sha256OfOthers(damaged, demoDisk.projects);
    const sitting = recover(machineOf(damaged));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('to start the restore: ');
    sitting.port.type('volumes\r');
    await sitting.port.waitFor('Volumes to restore: ');
    sitting.port.type('D:\r');
    await sitting.port.waitFor('the image has no volume "D:"');
    await sitting.port.waitFor('Volumes to restore: ');
    sitting.port.type('projects\r');
    await confirm(sitting);
    await sitting.port.waitFor('Type OVERWRITE to lose what is on them now: ');
    sitting.port.type(`${station}\r`);
    await sitting.port.waitFor('is not OVERWRITE');
    await sitting.port.waitFor('Type OVERWRITE to lose what is on them now: ');
    sitting.port.type('OVERWRITE\r');
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expectToFit(sitting.port.written());
    expect(sha256OfRange(damaged, demoDisk.projects)).toBe(sha256OfRange(diskFile, demoDisk.projects));
    expect(sha256OfOthers(damaged, demoDisk.projects)).toBe(others);
    expect(latestReport().machine.disks[0]?.restored).toMatchObject([demoDisk.projects]);
  });

  test('armed: nothing is asked', async () => {
    const blank = path.join(folder.path, 'armed.img');
    run('cp', diskFile, blank);
    writeAt(blank, noise('damage', 3_000_000), demoDisk.root.startByte + 100_000);
    const until = new Date(Date.now() + 60_000);
    arm(service.context.state, {
      station,
      image: `${station}@latest`,
      until,
      by: 'schulz',
      acceptsReplaced: false,
    });
    const sitting = recover(machineOf(blank));
    await sitting.port.waitFor(`${station} is restored.`, 40);
    await sitting.result;
    expect(sitting.port.written()).toContain('schulz armed this station');
    expect(latestReport().startedBy).toEqual({ how: 'armed', technician: 'schulz' });
  });
});

describe('refused, with the disk as it was', () => {
  const target = (isBlank = false) => {
    const file = path.join(folder.path, 'target.img');
    if (isBlank) makeBlankDisk(file);
    else run('cp', diskFile, file);
    writeAt(file, noise('something', 1_000_000), 5_000_000);
    return { file, before: sha256OfFile(file) };
  };

  test('another board: exit code 12', async () => {
    const { file, before } = target();
    const board = { ...healthy.board, product: 'ANOTHER BOARD' };
    const sitting = recover(machineOf(file, { board }));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('(exit code 12)');
    await sitting.port.waitFor('Nothing was written to any disk.');
    expect(await leave(sitting)).toBe(12);
    expect(sha256OfFile(file)).toBe(before);
    expect(latestReport().machine).toMatchObject({
      outcome: 'refused',
      exitCode: 12,
      differences: [{ field: 'board product', severity: 'fatal', found: 'ANOTHER BOARD' }],
    });
  });

  test('a disk that is too small: exit code 13, with the exact shortfall', async () => {
    const { file } = target();
    truncateSync(file, demoDisk.sizeBytes / 2);
    const disk = { ...stationDisk, sizeBytes: demoDisk.sizeBytes / 2 };
    const sitting = recover(machineOf(file, { disks: [disk] }));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('(exit code 13)');
    expect(sitting.port.written()).toContain('too small by');
    expect(await leave(sitting)).toBe(13);
    expect(latestReport().machine).toMatchObject({ outcome: 'refused', exitCode: 13, disks: [] });
  });

  test('a dry run shows the plan and stops', async () => {
    const { file, before } = target();
    const sitting = recover(machineOf(file), true);
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('# will be overwritten');
    await sitting.port.waitFor('Dry run: nothing was written');
    expect(await leave(sitting)).toBe(0);
    expect(sha256OfFile(file)).toBe(before);
  });

  test('Ctrl-C at the confirmation: exit code 130', async () => {
    const { file, before } = target();
    const sitting = recover(machineOf(file));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('to start the restore: ');
    sitting.port.type('yes\r');
    await sitting.port.waitFor(`"yes" is not ${station}.`);
    await sitting.port.waitFor('to start the restore: ');
    sitting.port.type('\x03');
    await sitting.port.waitFor('(exit code 130)');
    expect(await leave(sitting)).toBe(130);
    expect(sha256OfFile(file)).toBe(before);
    expect(latestReport().machine.outcome).toBe('aborted');
  });

  test('a missing chunk is found before the first write: exit code 14', async () => {
    const { file, before } = target(true);
    const chunks = path.join(service.context.store, 'chunks.castr');
    const files = readdirSync(chunks, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(chunks, name))
      .filter((name) => statSync(name).isFile());
    const lost = files[Math.floor(files.length / 2)] ?? '';
    const bytes = readFileSync(lost);
    rmSync(lost);
    // A new disk needs every chunk, those of the data volume too.
    const disk = { ...stationDisk, serial: 'SSD-NEW', wwn: 'naa.50000000000000ff' };
    const sitting = recover(machineOf(file, { disks: [disk] }));
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('(exit code 14)');
    expect(sitting.port.written()).toContain(path.basename(lost, '.cacnk'));
    expect(await leave(sitting)).toBe(14);
    expect(sha256OfFile(file)).toBe(before);
    writeFileSync(lost, bytes);
  });

  test("a manifest signed with another site's key: exit code 14", async () => {
    const { file, before } = target();
    const other = await startApiService();
    const machine = fileMachine({
      site: { ca: service.ca, imageSigner: other.imageSigner },
      passport: healthy,
      disks: [{ passportDisk: stationDisk, devicePath: file }],
    });
    const sitting = recover(machine);
    await logOn(sitting);
    await chooseNewest(sitting);
    await sitting.port.waitFor('(exit code 14)');
    expect(sitting.port.written()).toContain('made with another key');
    await leave(sitting);
    expect(sha256OfFile(file)).toBe(before);
    await other.close();
  });

  test('wrong passwords are counted down, then the log-on is locked for a while', async () => {
    const { file } = target();
    const sitting = recover(machineOf(file));
    let locked = false;
    for (let tried = 0; tried < 10 && !locked; tried += 1) {
      await sitting.port.waitFor('Technician: ');
      sitting.port.type('nobody\r');
      await sitting.port.waitFor('Password: ');
      sitting.port.type('wrong password\r');
      await sitting.port.waitFor('again');
      locked = sitting.port.written().includes('too many wrong passwords');
    }
    expect(locked).toBe(true);
    expect(sitting.port.written()).toContain('tries are left');
    expect(sitting.port.written()).not.toContain('wrong password\r');
    await sitting.port.waitFor('Technician: ');
    sitting.port.type('\x03');
    expect(await leave(sitting)).toBe(130);
  });
});
