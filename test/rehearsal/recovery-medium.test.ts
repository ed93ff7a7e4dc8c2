import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onStandIn, rehearsalRecordSchema } from '#contract/rehearsal-record.ts';
import { type RunReport, runReportSchema } from '#contract/run-report.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { readLastRehearsal } from '#pxe-server/stations/last-rehearsal.ts';
import { extractUsbImage, findDataPartition } from '#scripts/media/write-usb-image.ts';
import { logOnMarker } from '#scripts/rehearsal/build-demo-station.ts';
import { firstDifference } from '#scripts/rehearsal/disk-proof.ts';
import type { InsertedMedium } from '#scripts/rehearsal/machine-hardware.ts';
import type { CapturedImage } from '#scripts/rehearsal/recovery-rehearsal.ts';
import type { RehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { formatRecord } from '#scripts/rehearsal/stand-in/format-record.ts';
import { chooseNewestImage, confirmRestore, logOn, waitForRefusal } from '#scripts/rehearsal/technician.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';
import {
  chooseRecovery,
  everyCell,
  newSerial,
  openMediumLab,
  registeredSerial,
  restoreFromMedium,
  strictFirmware,
  withoutCable,
} from '#test/support/medium-lab.ts';

/**
 * The medium of one station, in a machine that cannot boot from the network. Each cell stands alone: what it needs of
 * another one's it makes itself.
 */

let evidence: string;
let lab: RehearsalLab;
let image: CapturedImage;
let iso: string;
const ownMedia = new Map<string, Promise<string>>();

/** A medium with the image on it, made when it is first asked for. */
function withImage(name: string): Promise<string> {
  const output = path.join(evidence, name);
  const words = [
    'media',
    'build',
    lab.station.hostname,
    '--output',
    output,
    '--with-image',
    'OS-SRV-1A@latest',
  ];
  const made = ownMedia.get(name) ?? lab.site.rekindle(...words).then(tellAnd(output));
  ownMedia.set(name, made);
  return made;
}
const tellAnd = (output: string) => (said: string) => {
  process.stdout.write(`${said}\n`);
  return output;
};

beforeAll(async () => {
  ({ lab, image } = await openMediumLab());
  evidence = lab.evidence;
  iso = path.join(evidence, 'OS-SRV-1A.iso');
  process.stdout.write(
    `${await lab.site.rekindle('media', 'build', lab.station.hostname, '--output', iso)}\n`,
  );
});
afterAll(() => lab?.[Symbol.asyncDispose]());

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

async function makeDamaged(): Promise<string> {
  const damaged = path.join(evidence, 'damaged.iso');
  const bytes = await readFile(iso);
  const at = bytes.indexOf('Rekindle: loading the recovery');
  expect(at).toBeGreaterThan(0);
  bytes.write('r', at, 'latin1');
  await writeFile(damaged, bytes);
  return damaged;
}

test('a stick with a changed file names it and stops', async () => {
  const damaged = await makeDamaged();
  const stick: InsertedMedium = { kind: 'usb-stick', file: damaged };
  await using machine = await lab.switchOnWithMedium('damaged', lab.hardwareWith(lab.healthyDisk), stick);
  await chooseRecovery(machine);
  await waitForRefusal(machine.console, 14);
  expect(machine.console.text()).toMatch(/boot\/grub\/grub\.cfg\s+is\s+not\s+what\s+the\s+ticket\s+says/);
});

test('the medium is checked at the desk too, and the damaged one is named', async () => {
  const found = JSON.parse(await lab.site.rekindle('media', 'check', iso, '--json'));
  expect(found).toMatchObject({ station: 'OS-SRV-1A', damaged: [] });
  // A restore of another cell may have gone onto a new disk, and the station's passport knows.
  const since =
    (await registeredSerial(lab)) === newSerial ? [expect.stringContaining(`serial ${newSerial}`)] : [];
  expect(found.outdated).toEqual(since);
  expect(found.images).toHaveLength(1);
  await expect(lab.site.rekindle('media', 'check', await makeDamaged())).rejects.toThrow(
    expect.objectContaining({
      cause: expect.objectContaining({ message: expect.stringContaining('boot/grub/grub.cfg') }),
    }),
  );
});

test('the USB image restores a blank disk with no cable plugged in, and takes the report along', async () => {
  const usb = await withImage('OS-SRV-1A.img');
  const isNew = (await registeredSerial(lab)) !== newSerial;
  const target = await lab.blankDisk('from-stick');
  const hardware = withoutCable(lab.hardwareWithNewDisk(target));
  {
    await using machine = await lab.switchOnWithMedium(
      'from-stick',
      hardware,
      { kind: 'usb-stick', file: usb, writable: true },
      await strictFirmware(lab, 'from-stick'),
    );
    await restoreFromMedium(lab, machine);
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
    machine: {
      ...{ outcome: 'restored', exitCode: 0 },
      confirmed: isNew ? [expect.stringMatching(/^disk /)] : [],
    },
  });
  expect(report?.machine.unverified.join(' ')).toMatch(/no service has checked it.*not signed/);
  // What the medium wrote itself changed nothing that the ticket lists.
  expect(JSON.parse(await lab.site.rekindle('media', 'check', usb, '--json'))).toMatchObject({ damaged: [] });
});

test('the medium is no target, even as the very disk of the station', async () => {
  const posing = path.join(evidence, 'posing.raw');
  const usb = await withImage('OS-SRV-1A.img');
  await copyFile(usb, posing);
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
  expect(await firstDifference(posing, usb, [table])).toBeUndefined();
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

test.runIf(everyCell)('an ISO with the image restores a blank disk with no cable plugged in', async () => {
  const target = await lab.blankDisk('from-own-iso');
  await using machine = await lab.switchOnWithMedium(
    'from-own-iso',
    withoutCable(lab.hardwareWithNewDisk(target)),
    { kind: 'cd', file: await withImage('with-image.iso') },
    await strictFirmware(lab, 'from-own-iso'),
  );
  await restoreFromMedium(lab, machine);
  // Nothing can be written to a CD.
  await machine.console.waitFor(/Press Enter when you have noted it: $/m, { timeoutSeconds: 60 });
  await machine.console.type('\r');
  await machine.waitForEnd({ timeoutSeconds: 60 });
  expect(machine.console.text()).not.toMatch(/Bringing up the network card|Technician: /);
  const whole = { startByte: 0, sizeBytes: image.manifest.disks[0]?.sizeBytes ?? 0 };
  expect(await firstDifference(target, image.reference, [whole])).toBeUndefined();
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
