import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EmulatedMachine } from '#scripts/rehearsal/emulated-machine.ts';
import type { FirmwareKind, MachineHardware } from '#scripts/rehearsal/machine-hardware.ts';
import { type CapturedImage, enrolAndCaptureStation } from '#scripts/rehearsal/recovery-rehearsal.ts';
import { openRehearsalLab, type RehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { startStageClock } from '#scripts/rehearsal/stage-clock.ts';
import { confirmRestore, readPlan } from '#scripts/rehearsal/technician.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';

/** CI takes BIOS without the cells that cost most; the others: REKINDLE_FIRMWARE=uefi, REKINDLE_MEDIA=all. */
export const firmwareKind: FirmwareKind = process.env['REKINDLE_FIRMWARE'] === 'uefi' ? 'uefi' : 'bios';
export const everyCell = process.env['REKINDLE_MEDIA'] === 'all';

/** The lab of the demo station, which is enrolled and has an image. */
export async function openMediumLab(): Promise<{ lab: RehearsalLab; image: CapturedImage }> {
  const tell = (line: string) => process.stdout.write(`${line}\n`);
  const evidence = await mkdtemp(path.join(tmpdir(), 'medium-'));
  tell(`consoles: ${evidence}`);
  const lab = await openRehearsalLab({
    firmware: firmwareKind,
    stateDirectory: path.join(import.meta.dirname, '../../.rekindle'),
    evidence,
    onProgress: tell,
  });
  try {
    return { lab, image: await enrolAndCaptureStation(lab, startStageClock(tell)) };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** The boot menu, and the finger on R; on M where the image of the medium is meant. */
export async function chooseRecovery(machine: EmulatedMachine, key = 'r'): Promise<void> {
  await machine.console.waitFor(/Recovery of/, { timeoutSeconds: 120 });
  await machine.console.type(key);
}

export const withoutCable = (hardware: MachineHardware): MachineHardware => ({
  ...hardware,
  nics: hardware.nics.map(({ tap: _, ...nic }) => nic),
});

/** Secure Boot where the station is a UEFI machine. */
export const strictFirmware = async ({ firmware, evidence }: RehearsalLab, name: string) =>
  firmware === 'bios'
    ? undefined
    : openUefiFirmware(path.join(evidence, `${name}-variables.fd`), 'secureBoot');

/** The whole restore with the image of the medium, up to the last answer of the person. */
export async function restoreFromMedium({ station }: RehearsalLab, machine: EmulatedMachine): Promise<void> {
  await chooseRecovery(machine, 'm');
  await machine.console.waitFor(/are\s+as they were built\./, { timeoutSeconds: 300 });
  await machine.console.waitFor(/Your name, for the report: $/m, { timeoutSeconds: 120 });
  await machine.console.type('Technician at the plant\r');
  await readPlan(machine.console, station.hostname);
  await confirmRestore(machine.console, station.hostname);
}

export const newSerial = 'LAB-D-0002';

/** Of the station's disk, as its site knows it: a restore onto the new disk has that one registered. */
export async function registeredSerial({ site, station }: RehearsalLab): Promise<string> {
  const shown = await site.rekindle('station', 'show', station.hostname, '--json');
  return JSON.parse(shown).passport.disks[0].serial;
}
