import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { firstDifference } from '#scripts/rehearsal/disk-proof.ts';
import type { EmulatedMachine } from '#scripts/rehearsal/emulated-machine.ts';
import type { InsertedMedium } from '#scripts/rehearsal/machine-hardware.ts';
import { type CapturedImage, enrolAndCaptureStation } from '#scripts/rehearsal/recovery-rehearsal.ts';
import { openRehearsalLab, type RehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { startStageClock } from '#scripts/rehearsal/stage-clock.ts';
import { chooseNewestImage, confirmRestore, logOn, waitForRefusal } from '#scripts/rehearsal/technician.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';

/** The medium of one station, in a machine that cannot boot from the network. */

let evidence: string;
let lab: RehearsalLab;
let image: CapturedImage;
let iso: string;

beforeAll(async () => {
  evidence = await mkdtemp(path.join(tmpdir(), 'medium-'));
  const tell = (line: string) => process.stdout.write(`${line}\n`);
  lab = await openRehearsalLab({
    firmware: 'bios',
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

/** The boot menu, and the finger on R. */
async function chooseRecovery(machine: EmulatedMachine): Promise<void> {
  await machine.console.waitFor(/Recovery of/, { timeoutSeconds: 120 });
  await machine.console.type('r');
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
