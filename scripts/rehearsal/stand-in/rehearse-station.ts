import { hash } from 'node:crypto';
import { copyFile, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorChain, RekindleError } from '#base/errors.ts';
import { makeFolder } from '#base/make-folder.ts';
import { onStandIn, type RehearsalRecord, rehearsalRecordSchema } from '#contract/rehearsal-record.ts';
import { runReportSchema } from '#contract/run-report.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { type SecretKey, signBytes } from '#images/format/minisign.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import { listImages, readListedFile, readManifest } from '#images/stores/image-folder.ts';
import type { SitePaths } from '#pxe-server/site/site-paths.ts';
import { recordFile } from '#pxe-server/stations/last-rehearsal.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { runtimeFirstLine } from '../boot-rehearsal.ts';
import { type EmulatedMachine, startMachine } from '../emulated-machine.ts';
import { chooseAccelerator } from '../kvm-probe.ts';
import { createLabNetwork } from '../lab-network.ts';
import type { MachineFirmware } from '../machine-hardware.ts';
import { startStageClock } from '../stage-clock.ts';
import { chooseImage, confirmRestore, logOn } from '../technician.ts';
import { openUefiFirmware } from '../uefi-firmware.ts';
import { planStandIn } from './plan-stand-in.ts';
import { openStandInSite } from './stand-in-site.ts';

export interface StationRehearsal {
  readonly paths: SitePaths;
  readonly store: string;
  readonly station: Station;
  readonly image: ImageName;
  readonly signingKey: SecretKey;
  /** Folder of this rehearsal: transcripts, screens, reports, the signed record. */
  readonly evidence: string;
  /** Where disk files go while it lasts; default: the system's folder for temporary files. */
  readonly scratch?: string;
  /** What the restored system prints on its first serial line when somebody could log on. */
  readonly marker?: RegExp;
  /** How long the restored system may take until its marker, or until its screen is taken. */
  readonly startSeconds: number;
  readonly onProgress: (line: string) => void;
}

const runtimeSeconds = 300;

/**
 * F12, log on, choose, confirm, wait; then the restored disk is started. All on a virtual machine that is declared to
 * stand in for the station, with the real site's images, keys, kernel and runtime; nothing of the site is changed but
 * for the evidence folder.
 */
export async function rehearseStation(rehearsal: StationRehearsal): Promise<RehearsalRecord> {
  const { paths, station, image, evidence, onProgress } = rehearsal;
  const startedAt = new Date();
  const begun = performance.now();
  const clock = startStageClock(onProgress);
  await makeFolder(evidence);
  const scratch = await mkdtemp(path.join(rehearsal.scratch ?? tmpdir(), 'rekindle-rehearsal-'));
  const recovery: { runtimeSeconds: number | null; restoredSeconds: number | null } = {
    runtimeSeconds: null,
    restoredSeconds: null,
  };
  const proven: string[] = [];
  const unverified = ["The station's own hardware: this was a virtual machine."];
  const reasons: string[] = [];
  const found: { started: RehearsalRecord['started']; runReportSha256: string | null } = {
    started: 'unverified',
    runReportSha256: null,
  };
  const { manifest, manifestSha256 } = await readManifest(rehearsal.store, image, rehearsal.signingKey);
  try {
    const bytes = await readListedFile(rehearsal.store, image, manifest, 'passport.json');
    const taken = hardwarePassportSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    await using network = await createLabNetwork();
    const tap = await network.addTap();
    // The disks of the image, and the parts that were replaced since then: what the registry knows.
    const plan = planStandIn(station.name, station.passport, {
      tap,
      fileOf: (disk) => path.join(scratch, `disk${disk}.raw`),
    });
    unverified.push(...plan.differences);
    for (const [at, size] of plan.diskBytes.entries()) {
      await using file = await open(path.join(scratch, `disk${at}.raw`), 'w');
      await file.truncate(size);
    }
    await using site = await clock.run('Making a site of its own for the stand-in', () =>
      openStandInSite({
        real: paths,
        ...{ store: rehearsal.store, station: station.name, passport: station.passport, network, evidence },
        directory: path.join(scratch, 'site'),
      }),
    );
    const firmware = await firmwareOf(taken.firmware.kind, scratch);
    const switchOn = (name: string, bootFrom: 'network' | 'disk') =>
      startMachine({
        ...{ name, bootFrom, firmware, hardware: plan.hardware, onReboot: 'stop', directory: evidence },
        namespace: network.namespace,
      });

    await clock.run('F12: the stand-in boots from the network and is restored', async (say) => {
      await using machine = await switchOn('1-recovery', 'network');
      await machine.console.waitFor(runtimeFirstLine, { timeoutSeconds: runtimeSeconds });
      recovery.runtimeSeconds = sincePowerOn(machine);
      say(`the runtime is up ${recovery.runtimeSeconds} s after power-on`);
      await logOn(machine.console, site.credentials);
      await chooseImage(machine.console, station.name, await placeInList(rehearsal));
      await machine.screenshot(path.join(evidence, '1-confirm.png'));
      await confirmRestore(machine.console, station.name);
      await machine.waitForEnd({ timeoutSeconds: 120 });
      recovery.restoredSeconds = sincePowerOn(machine);
      say(`restored, read back and verified ${recovery.restoredSeconds} s after power-on`);
    });
    found.runReportSha256 = await clock.run("Checking the service's own report", async (say) => {
      const report = await keepRunReport(site.paths.reports, station.name, evidence);
      const { machine, manifestSha256: restored } = report.report;
      if (report.report.kind !== onStandIn || machine.outcome !== 'restored' || restored !== manifestSha256) {
        throw new RekindleError('verification-failed', `the run report says ${machine.outcome}`, {
          cause: new Error(`of manifest ${restored}; this rehearsal is of ${manifestSha256}`),
        });
      }
      const verified = machine.disks.reduce((sum, { bytes: { verified: each } }) => sum + each, 0);
      say(`${verified} bytes were read back from the disks and hashed`);
      proven.push(
        `${formatImageRef(image)} was restored over the network by this site's runtime, ${verified} bytes read back from the disks and hashed.`,
        `The interlock compared the stand-in with the image: ${machine.differences.length} differences, none fatal.`,
      );
      return report.sha256;
    });
    await clock.run('The stand-in starts from its own disk', async (say) => {
      await using machine = await switchOn('2-restored', 'disk');
      found.started = await watchStart(machine, rehearsal, say);
    });
    if (found.started === 'verified')
      proven.push('The restored system started and printed what was waited for.');
    else
      unverified.push(
        `Whether the restored system starts: look at 2-restored.png, taken after ${rehearsal.startSeconds} s.`,
      );
  } catch (error) {
    reasons.push(...errorChain(error));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const record = rehearsalRecordSchema.parse({
    formatVersion: 1,
    kind: onStandIn,
    station: station.name,
    image: formatImageRef(image),
    manifestSha256,
    firmware: manifest.firmware.kind,
    accelerator: await chooseAccelerator(),
    startedAt: startedAt.toISOString(),
    seconds: tenths((performance.now() - begun) / 1000),
    outcome: reasons.length === 0 ? 'passed' : 'failed',
    ...{ reasons, recovery, proven, unverified, ...found },
    stages: [...clock.stages],
  } satisfies RehearsalRecord);
  await writeRecord(rehearsal, record);
  return record;
}

/** The list of the runtime begins with the newest image, as 1. */
async function placeInList({ store, image }: StationRehearsal): Promise<number> {
  const images = await listImages(store, image.station);
  return images.length - images.findIndex(({ utc }) => utc === image.utc);
}

async function firmwareOf(kind: 'bios' | 'uefi', folder: string): Promise<MachineFirmware> {
  return kind === 'bios' ? { kind } : openUefiFirmware(path.join(folder, 'uefi-variables.fd'));
}

/** Without a marker nothing but the screen tells: it is kept, and nothing is claimed. */
async function watchStart(
  machine: EmulatedMachine,
  { marker, startSeconds, evidence }: StationRehearsal,
  say: (sentence: string) => void,
): Promise<'verified' | 'unverified'> {
  const picture = path.join(evidence, '2-restored.png');
  if (marker !== undefined) {
    await machine.console.waitFor(marker, { timeoutSeconds: startSeconds });
    say(`what was waited for came after ${sincePowerOn(machine)} s`);
    await machine.screenshot(picture);
    return 'verified';
  }
  await Promise.race([sleep(startSeconds * 1000), machine.exited]);
  await machine.screenshot(picture);
  say(`its screen after ${startSeconds} s is kept; whether the system started is for a person to see`);
  return 'unverified';
}

async function keepRunReport(reports: string, station: string, evidence: string) {
  const folder = path.join(reports, station);
  const [name] = await readdir(folder).catch(() => []);
  if (name === undefined)
    throw new RekindleError('verification-failed', 'the service has no report of the restore');
  for (const file of ['report.json', 'report.json.minisig'])
    await copyFile(path.join(folder, name, file), path.join(evidence, `run-${file}`));
  const bytes = await readFile(path.join(folder, name, 'report.json'));
  return {
    report: runReportSchema.parse(JSON.parse(bytes.toString('utf8'))),
    sha256: hash('sha256', bytes),
  };
}

async function writeRecord(
  { evidence, signingKey }: StationRehearsal,
  record: RehearsalRecord,
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(record, null, 2)}\n`);
  const comment = `rekindle ${record.kind} of ${record.station} ${record.startedAt}`;
  await writeFileDurably(
    path.join(evidence, `${recordFile}.minisig`),
    Buffer.from(signBytes(bytes, signingKey, comment)),
  );
  await writeFileDurably(path.join(evidence, recordFile), bytes);
}

const sincePowerOn = (machine: EmulatedMachine): number =>
  tenths((performance.now() - machine.poweredOnAt) / 1000);
const tenths = (value: number): number => Math.round(value * 10) / 10;
