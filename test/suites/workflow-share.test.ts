import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { type ApiService, startApiService } from '#test/support/api-service.ts';
import { chooseNewest, confirm, logOn } from '#test/support/at-the-console.ts';
import { fileMachine, sitDown } from '#test/support/file-machine.ts';
import {
  demoDisk,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  run,
  sha256OfFile,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/**
 * The whole program against the real service at a site whose images lie on a share: chunks take the share, all
 * else the service. The share is a folder here; test/rehearsal/shares.test.ts mounts real ones.
 */

const station = 'OS-SRV-1A';
const password = 'the share secret 7d1f';
const [someDisk] = somePassport().disks as [PassportDisk];
const passport: HardwarePassport = {
  ...somePassport(),
  disks: [{ ...someDisk, sizeBytes: demoDisk.sizeBytes }],
};
const folder = makeTemporaryFolder();
const shareFolder = path.join(folder.path, 'share');
const passwordFile = path.join(folder.path, 'password');
let service: ApiService;
let stationDisk = '';

beforeAll(async () => {
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  service = await startApiService(
    `share: { smb: //localhost/images, user: recovery, passwordFile: ${passwordFile} }\n`,
  );
  addStation(service.context.state, { name: station, passport, by: 'the test' });
  stationDisk = makeDemoDisk(folder.path);
});
afterAll(async () => {
  await service.close();
  folder[Symbol.dispose]();
});

const machineWith = (disk: string) =>
  fileMachine({
    site: service,
    passport,
    disks: passport.disks.map((passportDisk) => ({ passportDisk, devicePath: disk })),
    shareFolder,
  });

const restore = (disk: string) => sitDown(machineWith(disk), { server: service.url, purpose: 'recovery' });

test('a capture writes its chunks onto the share, and the service signs the image', async () => {
  symlinkSync(service.context.store, shareFolder);
  const sitting = sitDown(machineWith(stationDisk), { server: service.url, purpose: 'enrolment' });
  await logOn(sitting);
  await confirm(sitting, 'capture', station);
  await sitting.port.waitFor('is in the image store.');
  expect((await sitting.result).exitCode).toBe(0);
  expect(sitting.port.written()).toContain('//localhost/images, everything encrypted.');
  expect(sitting.port.written()).not.toContain(password);
});

test('a restore reads its chunks from the share: the service itself has none any more', async () => {
  run('rm', shareFolder);
  mkdirSync(shareFolder);
  renameSync(path.join(service.context.store, 'chunks.castr'), path.join(shareFolder, 'chunks.castr'));
  const disk = makeBlankDisk(path.join(folder.path, 'new.img'));
  const sitting = restore(disk);
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('Type RESTORE or LEAVE: ');
  sitting.port.type('RESTORE\r');
  await confirm(sitting, 'restore', station);
  await sitting.port.waitFor(`${station} is restored.`);
  expect((await sitting.result).exitCode).toBe(0);
  run('e2fsck', '-fn', `${disk}?offset=${demoDisk.root.startByte}`);
});

test('a share without the chunks stops the restore before the first write', async () => {
  renameSync(path.join(shareFolder, 'chunks.castr'), path.join(folder.path, 'elsewhere'));
  const disk = makeBlankDisk(path.join(folder.path, 'untouched.img'));
  const before = sha256OfFile(disk);
  const sitting = restore(disk);
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('Type RESTORE or LEAVE: ');
  sitting.port.type('RESTORE\r');
  await sitting.port.waitFor('Choose 1 to 4: ');
  sitting.port.type('4\r');
  expect((await sitting.result).exitCode).toBe(14);
  expect(sitting.port.written()).toContain('//localhost/images lacks');
  expect(sha256OfFile(disk)).toBe(before);
});

test('a password file that others can read opens no job, and the station learns nothing of it', async () => {
  chmodSync(passwordFile, 0o644);
  const sitting = restore(makeBlankDisk(path.join(folder.path, 'closed.img')));
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('Choose 1 to 4: ');
  sitting.port.type('4\r');
  await sitting.result;
  expect(sitting.port.written()).toContain('cannot hand over the share');
  expect(sitting.port.written()).not.toContain(password);
  chmodSync(passwordFile, 0o600);
});

test('the secret is nowhere in the site folder', () => {
  const found = execFileSync('sh', [
    '-c',
    'grep -rl "$1" "$2" || true',
    'sh',
    password,
    service.context.paths.folder,
  ]);
  expect(found.toString()).toBe('');
});
