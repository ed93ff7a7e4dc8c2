import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTool } from '#base/run-tool.ts';
import { onStandIn, rehearsalRecordSchema } from '#contract/rehearsal-record.ts';
import { type RunReport, runReportSchema } from '#contract/run-report.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { readLastRehearsal } from '#pxe-server/stations/last-rehearsal.ts';
import { extractUsbImage, findDataPartition } from '#scripts/media/write-usb-image.ts';
import { logOnMarker } from '#scripts/rehearsal/build-demo-station.ts';
import { corruptSystemPartition } from '#scripts/rehearsal/disaster.ts';
import { firstDifference, hashRange } from '#scripts/rehearsal/disk-proof.ts';
import type { EmulatedMachine } from '#scripts/rehearsal/emulated-machine.ts';
import type { FirmwareKind, InsertedMedium, MachineHardware } from '#scripts/rehearsal/machine-hardware.ts';
import { type CapturedImage, enrolAndCaptureStation } from '#scripts/rehearsal/recovery-rehearsal.ts';
import { openRehearsalLab, type RehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { startStageClock } from '#scripts/rehearsal/stage-clock.ts';
import { formatRecord } from '#scripts/rehearsal/stand-in/format-record.ts';
import {
  chooseNewestImage,
  confirmRestore,
  logOn,
  readPlan,
  waitForRefusal,
} from '#scripts/rehearsal/technician.ts';
import { bootOnceFrom } from '#scripts/rehearsal/uefi-boot-next.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';

/** The medium of one station, in a machine that cannot boot from the network. */

/** CI takes BIOS; the other cells: REKINDLE_FIRMWARE=uefi npx vitest run test/rehearsal/recovery-medium.test.ts */
const firmwareKind: FirmwareKind = process.env['REKINDLE_FIRMWARE'] === 'uefi' ? 'uefi' : 'bios';

let evidence: string;
let lab: RehearsalLab;
let image: CapturedImage;
let iso: string;

beforeAll(async () => {
  evidence = await mkdtemp(path.join(tmpdir(), 'medium-'));
  const tell = (line: string) => process.stdout.write(`${line}\n`);
  lab = await openRehearsalLab({
    firmware: firmwareKind,
    stateDirectory: path.join(import.meta.dirname, '../../.rekindle'),
    evidence,
    onProgress: tell,
  });
  image = await enrolAndCaptureStation(lab, startStageClock(tell));
  iso = path.join(evidence, 'OS-SRV-1A.iso');
  tell(await lab.site.rekindle('media', 'build', lab.station.hostname, '--output', iso));
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  process.stdout.write(`consoles of the medium: ${evidence}\n`);
});

/** The boot menu, and the finger on R; on M where the image of the medium is meant. */
async function chooseRecovery(machine: EmulatedMachine, key = 'r'): Promise<void> {
  await machine.console.waitFor(/Recovery of/, { timeoutSeconds: 120 });
  await machine.console.type(key);
}

const withoutCable = (hardware: MachineHardware): MachineHardware => ({
  ...hardware,
  nics: hardware.nics.map(({ tap: _, ...nic }) => nic),
});

/** Secure Boot where the station is a UEFI machine. */
const strictFirmware = async (name: string) =>
  firmwareKind === 'bios'
    ? undefined
    : openUefiFirmware(path.join(evidence, `${name}-variables.fd`), 'secureBoot');

/** The whole restore with the image of the medium, up to the last answer of the person. */
async function restoreFromMedium(machine: EmulatedMachine): Promise<void> {
  await chooseRecovery(machine, 'm');
  await machine.console.waitFor(/are\s+as they were built\./, { timeoutSeconds: 300 });
  await machine.console.waitFor(/Your name, for the report: $/m, { timeoutSeconds: 120 });
  await machine.console.type('Technician at the plant\r');
  await readPlan(machine.console, lab.station.hostname);
  await confirmRestore(machine.console, lab.station.hostname);
}

test('a CD restores a blank disk by BIOS, after it has read itself', async () => {
  const target = await lab.blankDisk('from-cd');
  await using machine = await lab.switchOnWithMedium('from-cd', lab.hardwareWithNewDisk(target), {
    kind: 'cd',
    file: iso,
  });
  await chooseRecovery(machine);
  await machine.console.waitFor(/This medium is for OS-SRV-1A/, { timeoutSeconds: 120 });
  await machine.console.waitFor(/are as they were built\./, { timeoutSeconds: 60 });
  await logOn(machine.console, lab.site.credentials);
  await chooseNewestImage(machine.console, lab.station.hostname);
  await confirmRestore(machine.console, lab.station.hostname);
  await machine.waitForEnd({ timeoutSeconds: 60 });
  const whole = { startByte: 0, sizeBytes: image.manifest.disks[0]?.sizeBytes ?? 0 };
  expect(await firstDifference(target, image.reference, [whole])).toBeUndefined();
});

test('Secure Boot lets the stick start; on another machine it stops before anybody logs on', async () => {
  const hardware = lab.hardwareWith(lab.healthyDisk);
  const other = { ...hardware, smbios: { ...hardware.smbios, boardProduct: 'Demo Board 2' } };
  const firmware = await openUefiFirmware(path.join(evidence, 'secure-boot-variables.fd'), 'secureBoot');
  const stick: InsertedMedium = { kind: 'usb-stick', file: iso };
  await using machine = await lab.switchOnWithMedium('other', other, stick, firmware);
  await chooseRecovery(machine);
  await waitForRefusal(machine.console, 12);
  const seen = machine.console.text();
  expect(seen).toMatch(/which this\s+medium\s+is\s+for/);
  expect(seen).toMatch(/The board product is "Demo Board 2" instead of "Demo\s+Board"/);
  expect(seen).not.toMatch(/Technician:/);
});

test('a stick with a changed file names it and stops', async () => {
  const damaged = path.join(evidence, 'damaged.iso');
  const bytes = await readFile(iso);
  const at = bytes.indexOf('Rekindle: loading the recovery');
  expect(at).toBeGreaterThan(0);
  bytes.write('r', at, 'latin1');
  await writeFile(damaged, bytes);
  const stick: InsertedMedium = { kind: 'usb-stick', file: damaged };
  await using machine = await lab.switchOnWithMedium('damaged', lab.hardwareWith(lab.healthyDisk), stick);
  await chooseRecovery(machine);
  await waitForRefusal(machine.console, 14);
  expect(machine.console.text()).toMatch(/boot\/grub\/grub\.cfg\s+is\s+not\s+what\s+the\s+ticket\s+says/);
});

test('the medium is checked at the desk too, and the damaged one is named', async () => {
  const found = JSON.parse(await lab.site.rekindle('media', 'check', iso, '--json'));
  expect(found).toMatchObject({ station: 'OS-SRV-1A', damaged: [] });
  // The restore above went onto a new disk, and the station's passport knows.
  expect(found.outdated).toEqual([expect.stringContaining('serial LAB-D-0002')]);
  expect(found.images).toHaveLength(1);
  await expect(lab.site.rekindle('media', 'check', path.join(evidence, 'damaged.iso'))).rejects.toThrow(
    expect.objectContaining({
      cause: expect.objectContaining({ message: expect.stringContaining('boot/grub/grub.cfg') }),
    }),
  );
});

test('the USB image restores a blank disk with no cable plugged in, and takes the report along', async () => {
  const usb = path.join(evidence, 'OS-SRV-1A.img');
  const build = ['media', 'build', lab.station.hostname, '--output', usb, '--with-image', 'OS-SRV-1A@latest'];
  process.stdout.write(`${await lab.site.rekindle(...build)}\n`);
  const target = await lab.blankDisk('from-stick');
  const hardware = withoutCable(lab.hardwareWithNewDisk(target));
  {
    await using machine = await lab.switchOnWithMedium(
      'from-stick',
      hardware,
      { kind: 'usb-stick', file: usb, writable: true },
      await strictFirmware('from-stick'),
    );
    await restoreFromMedium(machine);
    await machine.console.waitFor(/The report is\s+rekindle\/reports\/\S+/, { timeoutSeconds: 60 });
    await machine.waitForEnd({ timeoutSeconds: 60 });
    expect(machine.console.text()).not.toMatch(/Bringing up the network card|Technician: /);
  }
  const whole = { startByte: 0, sizeBytes: image.manifest.disks[0]?.sizeBytes ?? 0 };
  expect(await firstDifference(target, image.reference, [whole])).toBeUndefined();

  const [report] = await reportsOn(usb);
  expect(report).toMatchObject({
    station: 'OS-SRV-1A',
    startedBy: { technician: 'Technician at the plant' },
    machine: { outcome: 'restored', exitCode: 0, confirmed: [] },
  });
  expect(report?.machine.unverified.join(' ')).toMatch(/no service has checked it.*not signed/);
  // What the medium wrote itself changed nothing that the ticket lists.
  expect(JSON.parse(await lab.site.rekindle('media', 'check', usb, '--json'))).toMatchObject({ damaged: [] });
});

test('the medium is no target, even as the very disk of the station', async () => {
  const posing = path.join(evidence, 'posing.raw');
  await copyFile(path.join(evidence, 'OS-SRV-1A.img'), posing);
  await truncate(posing, image.manifest.disks[0]?.sizeBytes);
  const hardware = withoutCable(lab.hardwareWithNewDisk(posing));
  await using machine = await lab.switchOn('no-target', hardware, 'disk');
  await chooseRecovery(machine, 'm');
  await machine.console.waitFor(/Your name, for the report: $/m, { timeoutSeconds: 240 });
  await machine.console.type('Technician at the plant\r');
  await waitForRefusal(machine.console, 13);
  const seen = machine.console.text().replaceAll(/\s+/g, ' ');
  expect(seen).toMatch(/the image store \(\/run\/rekindle\/medium\/rekindle\/store\) lies on it/);
  expect(seen).toMatch(/Nothing was written to any disk\./);
  // Its own partition table, and with it the way to everything else, is as it was.
  const table = { startByte: 0, sizeBytes: 1024 * 1024 };
  expect(await firstDifference(posing, path.join(evidence, 'OS-SRV-1A.img'), [table])).toBeUndefined();
});

test('a declared stand-in is restored from the same store over the network, and is never taken for the station', async () => {
  const station = lab.station.hostname;
  const show = async () => JSON.parse(await lab.site.rekindle('station', 'show', station, '--json'));
  const before = await show();
  const marker = ['--marker', logOnMarker(station).source, '--start-seconds', '300'];
  const record = rehearsalRecordSchema.parse(
    JSON.parse(await rekindleOutside('rehearse', station, '--json', ...marker)),
  );
  process.stdout.write(`${formatRecord(record)}\n`);
  expect(record).toMatchObject({ kind: onStandIn, outcome: 'passed', started: 'verified', station });
  expect(record.recovery.restoredSeconds).toBeGreaterThan(record.recovery.runtimeSeconds ?? Infinity);
  const rehearsals = path.join(lab.site.directory, 'rehearsals', station);
  const folder = path.join(rehearsals, (await readdir(rehearsals))[0] ?? '');
  const report = runReportSchema.parse(
    JSON.parse(await readFile(path.join(folder, 'run-report.json'), 'utf8')),
  );
  expect(report).toMatchObject({ kind: onStandIn, machine: { passport: { standIn: true } } });
  // Nothing of the real site knows but for the record, which counts as long as the policy says.
  expect(before).toMatchObject({ rehearsal: { kind: 'none' } });
  expect(await show()).toEqual({ ...before, rehearsal: { kind: 'passed', ageDays: 0, record } });
  const proof = /OS-SRV-1A .*rehearsed 0 d ago on a stand-in, restored in \d+ s/;
  expect(await lab.site.rekindle('station', 'list')).toMatch(proof);
  const paths = sitePaths(lab.site.directory);
  const [key, now] = [await readSigningPublicKey(paths), new Date(Date.now() + 8 * 86_400_000)];
  expect(await readLastRehearsal(paths, station, key, { validDays: 7, now })).toMatchObject({ kind: 'old' });
});

/** A rehearsal makes a network of its own: not from inside of another one. */
async function rekindleOutside(...args: string[]): Promise<string> {
  const command = path.join(import.meta.dirname, '../../scripts/rekindle.ts');
  const words = [command, ...args, '--site', lab.site.directory];
  const { stdout } = await promisify(execFile)(process.execPath, words, { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

// The firmware of a BIOS machine starts no partition; there a GRUB menu has to.
test.runIf(firmwareKind === 'uefi')(
  'the station starts its own recovery with no cable plugged in, and is restored around it',
  async () => {
    const station = lab.station.hostname;
    const disk = path.join(evidence, 'own-disk.raw');
    await copyFile(lab.healthyDisk, disk, constants.COPYFILE_FICLONE);
    const { ESP, SYSTEM, PROJECTS } = lab.station.partitions;
    // In the place of PROJECTS: the only one with room for the image.
    await runTool('making a partition for the recovery', sgdisk, ['--change-name=4:REKINDLE', disk]);
    const place = `${disk}@@${PROJECTS.firstByte}`;
    const sectors = ['-T', String(PROJECTS.byteLength / 512), '-h', '64', '-s', '32'];
    await runTool('making its file system', mformat, ['-i', place, '-F', ...sectors, '::']);
    // Another test of this file has replaced the disk for good.
    const { passport } = JSON.parse(await lab.site.rekindle('station', 'show', station, '--json'));
    const { serial } = passport.disks[0];
    const where = ['--disk', `${disk},${serial}`, '--partition', '4'];
    const install = ['media', 'install', station, ...where, '--with-image', `${station}@latest`];
    process.stdout.write(`${await lab.site.rekindle(...install)}\n`);
    await corruptSystemPartition(disk, rangeOf(SYSTEM));
    const tables = { startByte: 0, sizeBytes: ESP.firstByte };
    const before = await hashRange(disk, tables);

    const variables = path.join(evidence, 'own-disk-variables.fd');
    const firmware = await openUefiFirmware(variables, 'secureBoot');
    const opened = openDisk(disk);
    const partition = parsePartitionTable(opened).partitions.find(({ number }) => number === 4);
    opened.close();
    if (partition === undefined) throw new RangeError('the disk has a fourth partition');
    const loader = '\\EFI\\rekindle\\shimx64.efi';
    await bootOnceFrom(variables, { description: 'Rekindle recovery', partition, loader });
    {
      const withDisk = serial === 'LAB-D-0001' ? lab.hardwareWith : lab.hardwareWithNewDisk;
      const hardware = withoutCable(withDisk(disk));
      await using machine = await lab.switchOn('own-disk', hardware, 'disk', firmware);
      await restoreFromMedium(machine);
      await machine.console.waitFor(/The report is\s+rekindle\/reports\/\S+/, { timeoutSeconds: 60 });
      await machine.waitForEnd({ timeoutSeconds: 60 });
      const seen = machine.console.text().replaceAll(/\s+/g, ' ');
      expect(seen).toMatch(/partition 4 stay as they are/);
      expect(seen).not.toMatch(/Bringing up the network card|Technician: /);
    }
    expect(await firstDifference(disk, image.reference, [rangeOf(ESP), rangeOf(SYSTEM)])).toBeUndefined();
    expect(await hashRange(disk, tables)).toBe(before);
    // Whole, signed, and with the report of this restore in it.
    expect(await lab.site.rekindle('media', 'install', station, ...where, '--remove')).toMatch(/was removed/);
    const reports = path.join(evidence, 'own-reports');
    await mkdir(reports);
    const words = ['-s', '-n', '-i', place, '::/rekindle/reports', reports];
    await runTool('reading the reports', { command: 'mcopy', debianPackage: 'mtools' }, words);
    expect(await readdir(path.join(reports, 'reports'))).toHaveLength(1);
  },
);

const sgdisk = { command: 'sgdisk', debianPackage: 'gdisk' };
const mformat = { command: 'mformat', debianPackage: 'mtools' };
const rangeOf = ({ firstByte, byteLength }: { firstByte: number; byteLength: number }) => ({
  startByte: firstByte,
  sizeBytes: byteLength,
});

/** Reports of the data partition, as an office computer finds them. */
async function reportsOn(usb: string): Promise<RunReport[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'reports-'));
  await extractUsbImage(usb, findDataPartition(usb) ?? 0, folder);
  const reports = path.join(folder, 'rekindle', 'reports');
  const names = await readdir(reports);
  const texts = await Promise.all(names.map((name) => readFile(path.join(reports, name), 'utf8')));
  await rm(folder, { recursive: true });
  return texts.map((text) => runReportSchema.parse(JSON.parse(text)));
}
