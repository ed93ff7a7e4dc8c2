import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { type ApiService, startApiService } from '#test/support/api-service.ts';
import { chooseNewest, confirm, leave, logOn } from '#test/support/at-the-console.ts';
import { fileMachine, sitDown } from '#test/support/file-machine.ts';
import {
  demoDisk,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfFile,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { newestRunReport } from '#test/support/run-reports.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** What the whole program refuses, against the real service over TLS, and leaves the disk as it was. */

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

const latestReport = () => newestRunReport(service.context.paths.folder, station);

beforeAll(async () => {
  service = await startApiService();
  diskFile = makeDemoDisk(folder.path);
  addStation(service.context.state, { name: station, passport: healthy, by: 'the test' });
  const sitting = sitDown(machineOf(diskFile), { server: service.url, purpose: 'enrolment' });
  await logOn(sitting);
  await confirm(sitting, 'capture', station);
  expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
});
afterAll(async () => {
  await service.close();
  folder[Symbol.dispose]();
});

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
  expect((await latestReport()).machine).toMatchObject({
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
  expect((await latestReport()).machine).toMatchObject({ outcome: 'refused', exitCode: 13, disks: [] });
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
  expect((await latestReport()).machine.outcome).toBe('aborted');
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
