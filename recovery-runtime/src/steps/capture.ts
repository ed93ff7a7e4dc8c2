import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import { version } from '#base/version.ts';
import type { CaptureJob } from '#contract/api.ts';
import { captureDisk, findHibernation } from '#images/capture/capture-disk.ts';
import { summariseChange } from '#images/capture/image-change.ts';
import { type PlannedImage, planManifest } from '#images/capture/plan-manifest.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { parseImageName, parseUtc } from '#images/format/image-name.ts';
import { warnOfRole } from '#images/format/role-contradiction.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import type { WritableStoreRef } from '#images/stores/chunk-store.ts';
import { readTargetDisk } from '../block/read-target-disk.ts';
import { wrap } from '../console/layout.ts';
import { captureScreen } from '../console/screens.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { readStationWindows } from '../hooks/windows/station-windows.ts';
import type { DiskDevice } from '../inventory/disks.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { commitCapture, openCaptureJob, putImageFile } from '../server-client/calls.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type { FirmwareBootEntries } from '../workflow-machine.ts';
import { askLine } from './ask.ts';
import { describeDisk } from './choose-disks.ts';

/** The steps that take a station's image. Its disks are opened for reading only. */

export const openCapture = readingStep<
  {
    readonly server: ServerClient;
    readonly token: string;
    readonly station: StationName;
    readonly passport: HardwarePassport;
  },
  CaptureJob
>({
  id: 'open-capture',
  title: titles['open-capture'],
  async run({ server, token, station, passport }, { say }) {
    let told = '';
    const job = await openCaptureJob(server, token, { station, passport }, (message) => {
      // The service is asked every few seconds; a person is told once.
      if (message !== told) say(texts.captureWaits(message));
      told = message;
    });
    return { value: job, sentence: texts.captureOpened(job.imageName) };
  },
});

/**
 * Every disk that is built in: what can be pulled out is no part of the station. A disk that a restore left half
 * written is refused: its image would be the newest one, and worth nothing.
 */
export const chooseCaptureDisks = readingStep<{ readonly inventory: Inventory }, readonly DiskDevice[]>({
  id: 'choose-capture-disks',
  title: titles['choose-capture-disks'],
  async run({ inventory }) {
    const disks = inventory.disks.filter(({ passportDisk }) => !passportDisk.removable);
    if (disks.length === 0) {
      throw new RekindleError('target-unfit', "looking for the station's disks: there is none", {
        next: 'Look above which storage controllers have no driver, and build a pack that has one.',
      });
    }
    for (const { devicePath, passportDisk } of disks) {
      const found = readTargetDisk(devicePath, true, passportDisk.logicalSectorBytes);
      if (found.interrupted === null && found.halfRestored.length === 0) continue;
      throw new RekindleError('target-unfit', `looking at ${describeDisk(passportDisk)} before its capture`, {
        cause: new Error('a restore of this disk did not come to its end'),
        next: 'Finish the restore first: close the enrolment window, press F12 and restore this station again.',
      });
    }
    return {
      value: disks,
      sentence: texts.disksChosen(disks.map(({ passportDisk }) => describeDisk(passportDisk))),
    };
  },
});

/** Somebody who walked away did not confirm. */
const timeoutSeconds = 15 * 60;

export const confirmCapture = readingStep<
  { readonly terminal: Terminal; readonly station: StationName; readonly disks: readonly DiskDevice[] },
  void
>({
  id: 'confirm-capture',
  title: titles['confirm-capture'],
  async run({ terminal, station, disks }) {
    terminal.print(captureScreen(disks.map(({ passportDisk }) => passportDisk)));
    for (;;) {
      const typed = await askLine(
        terminal,
        { prompt: prompts.startCapture(station), timeoutSeconds },
        `asking for the confirmation of the capture of ${station}`,
      );
      if (typed.trim() === station) return { value: undefined, sentence: texts.confirmedByName(station) };
      terminal.print(wrap(texts.wrongName(typed, station)));
    }
  },
});

/** Chunks go straight into the store; what comes out is the image, without its signature. */
export const captureDisks = readingStep<
  {
    readonly store: WritableStoreRef;
    readonly job: CaptureJob;
    readonly disks: readonly DiskDevice[];
    readonly passport: HardwarePassport;
    readonly firmware: FirmwareBootEntries | undefined;
  },
  PlannedImage
>({
  id: 'capture-disks',
  title: titles['capture-disks'],
  async run({ store, job, disks, passport, firmware }, { say, progress }) {
    const captured: Parameters<typeof planManifest>[0]['disks'][number][] = [];
    const { bytesPerSecond, loadPercent } = job.limits;
    if (bytesPerSecond !== undefined) say(texts.captureHeldToRate(bytesPerSecond));
    if (loadPercent !== undefined) say(texts.captureHeldToLoad(loadPercent));
    const { windows, warning } = await readStationWindows(
      disks.map(({ devicePath, passportDisk }) => ({
        path: devicePath,
        isBlockDevice: statSync(devicePath).isBlockDevice(),
        sectorBytes: passportDisk.logicalSectorBytes,
      })),
    );
    if (warning !== undefined) say(`${warning}.`);
    const wrongRole = warnOfRole({ ...job, windows });
    if (wrongRole !== undefined) say(texts.warning(wrongRole));
    let hibernatedElsewhere = false;
    for (const { devicePath, passportDisk } of disks)
      hibernatedElsewhere ||= await findHibernation(devicePath, passportDisk.logicalSectorBytes);
    for (const { devicePath, passportDisk } of disks) {
      const name = describeDisk(passportDisk);
      say(texts.captureDisk(name));
      const result = await captureDisk({
        path: devicePath,
        store,
        dataVolumes: job.dataVolumes,
        hibernatedElsewhere,
        limits: {
          ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
          ...(loadPercent === undefined ? {} : { loadPercent }),
        },
        sectorBytes: passportDisk.logicalSectorBytes,
        onProgress: ({ doneBytes, totalBytes }) => progress(doneBytes, totalBytes),
      });
      for (const warning of result.warnings) say(texts.captureWarning(name, warning));
      const data = result.volumes.filter(({ role }) => role === 'data');
      say(
        texts.dataVolumes(
          name,
          data.map((volume) => volume.name || (volume.label ?? '')),
        ),
      );
      captured.push({ captured: result, passportDisk });
    }

    const { entries, order } = (await firmware?.read()) ?? { entries: [], order: [] };
    const image = planManifest({
      ...job,
      capturedAt: capturedAt(job.imageName),
      // Started from the network: nothing of the station's own system ran.
      consistency: 'offline',
      tools: { node: process.version, rekindle: version },
      bootEntries: [...entries],
      bootOrder: [...order],
      passport,
      windows,
      disks: captured,
    });
    const readBytes = captured.reduce((total, disk) => total + disk.captured.stats.readBytes, 0);
    const change = summariseChange(captured.map((disk) => disk.captured));
    // Again at the end, and in the report.
    const role = wrongRole === undefined ? '' : ` ${texts.warning(wrongRole)}`;
    return { value: image, sentence: `${texts.captured(readBytes, change)}${role}` };
  },
});

/** The image's name carries the time that the service gave it; the manifest says the same. */
function capturedAt(imageName: string): string {
  const time = parseUtc(parseImageName(imageName)?.utc ?? '');
  if (time === null)
    throw new RekindleError(
      'unexpected',
      `the service named the image "${imageName}", which is no image name`,
    );
  return time.toISOString();
}

/** Index and passport, then the manifest, which the service checks, signs and publishes. */
export const commitImage = readingStep<
  { readonly server: ServerClient; readonly job: CaptureJob; readonly image: PlannedImage },
  string
>({
  id: 'commit-capture',
  title: titles['commit-capture'],
  async run({ server, job, image }) {
    for (const file of image.files) await putImageFile(server, job, file);
    const { ref, manifestSha256 } = await commitCapture(server, job, image.manifestBytes);
    const sent = hash('sha256', image.manifestBytes);
    if (manifestSha256 !== sent) {
      throw new RekindleError('verification-failed', `finishing the image ${ref}`, {
        cause: new Error(`the service signed the manifest ${manifestSha256}, this machine sent ${sent}`),
        next: 'Build the runtime again from the same version as the service, then capture once more.',
      });
    }
    return { value: ref, sentence: texts.committed(ref) };
  },
});
