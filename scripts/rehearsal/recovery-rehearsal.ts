import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type ImageManifest, imageManifestSchema } from '#images/format/image-manifest.ts';
import { runtimeFirstLine } from './boot-rehearsal.ts';
import { logOnMarker } from './build-demo-station.ts';
import { corruptSystemPartition } from './disaster.ts';
import { type ByteRange, extractWithCasync, firstDifference, hashRange } from './disk-proof.ts';
import type { StaleTrust } from './domain-rehearsal.ts';
import type { EmulatedMachine } from './emulated-machine.ts';
import type { MachineHardware } from './machine-hardware.ts';
import type { RehearsalLab } from './rehearsal-lab.ts';
import type { StageClock } from './stage-clock.ts';
import { chooseNewestImage, confirmRestore, enrolAndCapture, logOn } from './technician.ts';

/** Times of one recovery as a person with a watch would take them, seconds. */
export interface RecoveryTimes {
  readonly powerOnToRuntime: number;
  readonly powerOnToRestored: number;
  /** From power-on of the broken machine to the restored system's log-on; the proof between does not count. */
  readonly powerOnToLogOn: number;
}

/** Something that was measured outside of the machine and had to be equal. */
export interface Proof {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

export interface RecoveryResult {
  readonly times: RecoveryTimes;
  readonly proofs: readonly Proof[];
}

export interface CapturedImage {
  readonly manifest: ImageManifest;
  readonly directory: string;
  /** The disk as casync reads it from the store. */
  readonly reference: string;
}

const startSeconds = 240;

/** The healthy station boots the runtime in an enrolment window, is named, and its disk goes into the store. */
export async function enrolAndCaptureStation(lab: RehearsalLab, clock: StageClock): Promise<CapturedImage> {
  const { station, site } = lab;
  await clock.run('Enrolling the healthy station and capturing its disk over the network', async (say) => {
    await site.rekindle('enrol', 'open', '--for', '15m', '--approve-all');
    await using machine = await lab.switchOn('1-enrol', lab.hardwareWith(lab.healthyDisk), 'network');
    await machine.console.waitFor(runtimeFirstLine, { timeoutSeconds: startSeconds });
    say(`the runtime is up ${sincePowerOn(machine)} s after power-on`);
    await logOn(machine.console, site.credentials);
    await enrolAndCapture(machine.console, station.hostname);
    say('the image is in the store, checked and signed');
    await machine.waitForEnd({ timeoutSeconds: 60 });
    await site.rekindle('enrol', 'close');
  });
  return clock.run('Reading the image back with casync', () => readNewestImage(lab));
}

/** A new disk in the machine, nothing on it, and a firmware that has forgotten its boot entries. */
export async function rehearseBlankDisk(
  lab: RehearsalLab,
  clock: StageClock,
  image: CapturedImage,
): Promise<RecoveryResult & { readonly hardware: MachineHardware; readonly disk: string }> {
  const disk = await lab.blankDisk('replacement');
  const hardware = lab.hardwareWithNewDisk(disk);
  await clock.run('Disaster: the disk is replaced by a blank one of the same class', async (say) => {
    await lab.forgetFirmwareVariables();
    say('the new disk has another serial number and World Wide Name');
  });
  const recovery = await recover(lab, clock, '2-blank-disk', hardware);
  const proofs = await clock.run('Comparing the disk with the image', () =>
    proveRanges(disk, image, [{ startByte: 0, sizeBytes: image.manifest.disks[0]?.sizeBytes ?? 0 }]),
  );
  const logOnSeconds = await proveLogOn(lab, clock, '3-restored', hardware);
  return {
    times: { ...recovery, powerOnToLogOn: tenths(recovery.powerOnToRestored + logOnSeconds) },
    proofs,
    hardware,
    disk,
  };
}

/**
 * The system partition is damaged while PROJECTS holds newer data than the image. With a trust that went stale the
 * restored system is not the image any more: hooks have worked on it.
 */
export async function rehearseDamagedSystem(
  lab: RehearsalLab,
  clock: StageClock,
  image: CapturedImage,
  { hardware, disk }: { readonly hardware: MachineHardware; readonly disk: string },
  trust?: StaleTrust,
): Promise<RecoveryResult> {
  const { SYSTEM, PROJECTS, ESP } = lab.station.partitions;
  const projects = rangeOf(PROJECTS);
  const before = await clock.run('Disaster: the system partition is corrupted', async (say) => {
    const newer = await hashRange(disk, projects);
    if (newer === (await hashRange(image.reference, projects))) {
      throw new RekindleError('verification-failed', 'PROJECTS got no newer data after the capture');
    }
    await corruptSystemPartition(disk, rangeOf(SYSTEM));
    say('PROJECTS holds data that is newer than the image');
    return newer;
  });
  const recovery = await recover(lab, clock, '4-damaged-system', hardware, trust?.checkScreen);
  const proofs = await clock.run(
    'Comparing the disk with the image, and PROJECTS with what it was',
    async () => [
      ...(await proveRanges(disk, image, [
        { startByte: 0, sizeBytes: ESP.firstByte },
        rangeOf(ESP),
        ...(trust === undefined ? [rangeOf(SYSTEM)] : []),
      ])),
      equal('PROJECTS before and after the restore (SHA-256)', before, await hashRange(disk, projects)),
      ...((await trust?.proveSystem(disk)) ?? []).map(asExpected),
    ],
  );
  const logOnSeconds = await proveLogOn(lab, clock, '5-restored', hardware, trust?.waitForFirstBoot);
  if (trust !== undefined) {
    const afterwards = await clock.run('Asking the domain whether it trusts the station', async (say) => {
      const found = (await trust.proveTrust(disk)).map(asExpected);
      say(
        found
          .map((proof) => proof.found)
          .filter(Boolean)
          .join('; '),
      );
      return found;
    });
    proofs.push(...afterwards);
  }
  return {
    times: { ...recovery, powerOnToLogOn: tenths(recovery.powerOnToRestored + logOnSeconds) },
    proofs,
  };
}

/** F12, log on, choose, confirm, wait: what a technician does. */
async function recover(
  lab: RehearsalLab,
  clock: StageClock,
  name: string,
  hardware: MachineHardware,
  /** Gets the whole console up to the question that starts the restore. */
  checkScreen: (text: string) => void = () => undefined,
): Promise<Omit<RecoveryTimes, 'powerOnToLogOn'>> {
  const { station, site, evidence } = lab;
  return clock.run('F12: the machine boots from the network and is restored', async (say) => {
    await using machine = await lab.switchOn(name, hardware, 'network');
    await machine.console.waitFor(runtimeFirstLine, { timeoutSeconds: startSeconds });
    const powerOnToRuntime = sincePowerOn(machine);
    say(`the runtime is up ${powerOnToRuntime} s after power-on`);
    await logOn(machine.console, site.credentials);
    say('the technician is logged on');
    await chooseNewestImage(machine.console, station.hostname);
    checkScreen(machine.console.text());
    await machine.screenshot(path.join(evidence, `${name}-confirm.png`));
    say('hardware and target disk are shown; the name is typed');
    await confirmRestore(machine.console, station.hostname);
    await machine.waitForEnd({ timeoutSeconds: 60 });
    const powerOnToRestored = sincePowerOn(machine);
    say(`restored, read back and verified ${powerOnToRestored} s after power-on`);
    return { powerOnToRuntime, powerOnToRestored };
  });
}

/** The machine starts from its own disk and its own boot loader, and says who it is. */
async function proveLogOn(
  lab: RehearsalLab,
  clock: StageClock,
  name: string,
  hardware: MachineHardware,
  whileUp: (say: (sentence: string) => void) => Promise<void> = async () => undefined,
): Promise<number> {
  return clock.run('The machine starts from its own disk', async (say) => {
    await using machine = await lab.switchOn(name, hardware, 'disk');
    const [marker] = await machine.console.waitFor(logOnMarker(lab.station.hostname), {
      timeoutSeconds: startSeconds,
    });
    const seconds = sincePowerOn(machine);
    await machine.screenshot(path.join(lab.evidence, `${name}.png`));
    say(`${marker} after ${seconds} s`);
    await whileUp(say);
    await machine.powerButton();
    await machine.waitForEnd({ timeoutSeconds: 120 });
    return seconds;
  });
}

async function readNewestImage(lab: RehearsalLab): Promise<CapturedImage> {
  const images = path.join(lab.site.store, 'images', lab.station.hostname);
  const name = (await readdir(images)).sort().at(-1);
  if (name === undefined) throw new RekindleError('not-found', `${images} holds no image`);
  const directory = path.join(images, name);
  const manifest = imageManifestSchema.parse(
    JSON.parse(await readFile(path.join(directory, 'manifest.json'), 'utf8')),
  );
  const index = manifest.disks[0]?.diskIndex;
  if (index === undefined) throw new RekindleError('verification-failed', `${name} holds no disk`);
  const reference = path.join(path.dirname(lab.healthyDisk), 'casync-reference.raw');
  await extractWithCasync(path.join(directory, index), lab.site.store, reference);
  return { manifest, directory, reference };
}

async function proveRanges(
  disk: string,
  image: CapturedImage,
  ranges: readonly ByteRange[],
): Promise<Proof[]> {
  const at = await firstDifference(disk, image.reference, ranges);
  if (at !== undefined) {
    throw new RekindleError('verification-failed', `the disk differs from the image at byte ${at}`);
  }
  return Promise.all(
    ranges.map(async (range) =>
      equal(
        `bytes ${range.startByte} to ${range.startByte + range.sizeBytes - 1} of image and disk (SHA-256)`,
        await hashRange(image.reference, range),
        await hashRange(disk, range),
      ),
    ),
  );
}

const equal = (what: string, expected: string, found: string): Proof => asExpected({ what, expected, found });

function asExpected(proof: Proof): Proof {
  const { what, expected, found } = proof;
  if (expected !== found) {
    throw new RekindleError('verification-failed', `${what}: expected ${expected}, found ${found}`);
  }
  return proof;
}

const rangeOf = ({ firstByte, byteLength }: { firstByte: number; byteLength: number }): ByteRange => ({
  startByte: firstByte,
  sizeBytes: byteLength,
});
const sincePowerOn = (machine: EmulatedMachine): number =>
  tenths((performance.now() - machine.poweredOnAt) / 1000);
const tenths = (value: number): number => Math.round(value * 10) / 10;
