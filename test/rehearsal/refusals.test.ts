import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTool } from '#base/run-tool.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { packFile, universalPack } from '#pxe-server/stations/station-pack.ts';
import { diskBytes } from '#scripts/rehearsal/demo-station/partition-layout.ts';
import { firstDifference, hashFile } from '#scripts/rehearsal/disk-proof.ts';
import type { EmulatedMachine } from '#scripts/rehearsal/emulated-machine.ts';
import { reservationConfiguration } from '#scripts/rehearsal/lab-site.ts';
import type { EmulatedNic, MachineHardware } from '#scripts/rehearsal/machine-hardware.ts';
import { type CapturedImage, enrolAndCaptureStation } from '#scripts/rehearsal/recovery-rehearsal.ts';
import { openRehearsalLab, type RehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { startStageClock } from '#scripts/rehearsal/stage-clock.ts';
import {
  chooseNewestImage,
  logOn,
  startRestore,
  tryAgain,
  waitForRefusal,
} from '#scripts/rehearsal/technician.ts';
import { leaveOldData, measureCommonData } from '#test/support/disk-wear.ts';
import { newestRunReport } from '#test/support/run-reports.ts';

/**
 * One lab, one captured station, and everything that must not end in a restore. Each test starts a machine of
 * its own; they build on one another in the order in which they stand here.
 */

const tries = 3;
const lockMinutes = 1;

let evidence: string;
let lab: RehearsalLab;
let image: CapturedImage;
/** A new disk for the station, with old data of somebody else on it. */
let target: string;
let lockedAt = Number.NaN;

beforeAll(async () => {
  evidence = await mkdtemp(path.join(tmpdir(), 'refusals-'));
  const tell = (line: string) => process.stdout.write(`${line}\n`);
  lab = await openRehearsalLab({
    firmware: 'bios',
    stateDirectory: path.join(import.meta.dirname, '../../.rekindle'),
    evidence,
    onProgress: tell,
    configuration: (...where) =>
      `${reservationConfiguration(...where)}logOn: { tries: ${tries}, lockMinutes: ${lockMinutes} }\n`,
  });
  image = await enrolAndCaptureStation(lab, startStageClock(tell));
  target = await lab.blankDisk('target');
  await leaveOldData(target);
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  process.stdout.write(`consoles of the refusals: ${evidence}\n`);
});

/** What the person reads, wherever the console broke the line. */
const sentence = (text: string) =>
  new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '\\s+'));

const see = (machine: EmulatedMachine, text: string, timeoutSeconds = 240) =>
  machine.console.waitFor(sentence(text), { timeoutSeconds });

const withBoard = (hardware: MachineHardware): MachineHardware => ({
  ...hardware,
  smbios: { ...hardware.smbios, boardProduct: 'Demo Board 2', boardSerial: 'LAB-B-0002' },
});
const withNic = (hardware: MachineHardware, change: Partial<EmulatedNic>): MachineHardware => ({
  ...hardware,
  nics: hardware.nics.map((nic) => ({ ...nic, ...change })),
});

async function expectUnchanged(disk: string, before: string): Promise<void> {
  expect(await hashFile(disk)).toBe(before);
}

async function logOnAndChoose(machine: EmulatedMachine): Promise<void> {
  await logOn(machine.console, lab.site.credentials);
  await chooseNewestImage(machine.console, lab.station.hostname);
}

/** Log-on and image, without the question that a refusal never reaches. */
async function askForNewestImage(machine: EmulatedMachine): Promise<void> {
  await logOn(machine.console, lab.site.credentials);
  await machine.console.waitFor(/Image \[1\]: $/m, { timeoutSeconds: 60 });
  await machine.console.type('\r');
}

const report = () => newestRunReport(lab.site.directory, lab.station.hostname);

test('another board: exit code 12, the disk as it was, and a signed report of the differences', async () => {
  const before = await hashFile(target);
  await using machine = await lab.switchOn(
    'another-board',
    withBoard(lab.hardwareWithNewDisk(target)),
    'network',
  );
  await askForNewestImage(machine);
  await waitForRefusal(machine.console, 12);
  await machine.powerOff();

  const seen = machine.console.text();
  expect(seen).toMatch(sentence('The board product is "Demo Board 2" instead of "Demo Board"'));
  expect(seen).toContain('Nothing was written to any disk.');
  expect(seen).toContain('The report is with the recovery service.');
  await expectUnchanged(target, before);
  const { machine: told } = await report();
  expect(told).toMatchObject({ outcome: 'refused', exitCode: 12, disks: [] });
  expect(told.differences).toContainEqual(
    expect.objectContaining({ field: 'board product', severity: 'fatal', found: 'Demo Board 2' }),
  );
  expect(told.steps.find(({ step }) => step === 'check-identity')).toMatchObject({ outcome: 'failed' });
});

test('another network card: exit code 12 and both PCI ids, though nothing drives it', async () => {
  const before = await hashFile(target);
  const hardware = withNic(lab.hardwareWithNewDisk(target), { model: 'e1000' });
  await using machine = await lab.switchOn('another-nic', hardware, 'network');
  await see(machine, '0000:00:03.0 8086:100e Ethernet controller');
  await waitForRefusal(machine.console, 12);
  await machine.powerOff();

  const seen = machine.console.text();
  expect(seen).toMatch(
    sentence('In slot 0000:00:03.0 is 8086:100e (Ethernet controller) instead of 1af4:1000'),
  );
  expect(seen).toContain('Nothing was written to any disk.');
  await expectUnchanged(target, before);
});

test('another network card that this boot drives: exit code 12, and a signed report names both cards', async () => {
  const before = await hashFile(target);
  const hardware = withNic(lab.hardwareWithNewDisk(target), { model: 'e1000' });
  await using _pack = await swapPack(await readFile(packFile(paths(), universalPack)));
  await using machine = await lab.switchOn('driven-nic', hardware, 'network');
  await askForNewestImage(machine);
  await waitForRefusal(machine.console, 12);
  await machine.powerOff();

  await expectUnchanged(target, before);
  const { machine: told } = await report();
  expect(told).toMatchObject({ outcome: 'refused', exitCode: 12, disks: [] });
  const card = { field: 'network card 0000:00:03.0', severity: 'fatal' };
  expect(told.differences).toMatchObject([{ ...card, sentence: expect.stringContaining('another model') }]);
});

test('the driver pack taken away: the console names the PCI ids that nothing drives', async () => {
  const before = await hashFile(target);
  await using _pack = await swapPack(formatCpio([]));
  await using machine = await lab.switchOn('no-pack', lab.hardwareWithNewDisk(target), 'network');
  await see(machine, 'There is no driver pack in this boot');
  await see(machine, '0000:00:03.0 1af4:1000 Ethernet controller');
  await see(machine, '0000:00:1f.2 8086:2922 SATA controller (AHCI)');
  await waitForRefusal(machine.console, 1);
  await machine.powerOff();
  await expectUnchanged(target, before);
});

test('a missing chunk is found before the first write; a killed restore leaves nothing that looks whole', async () => {
  const before = await hashFile(target);
  await using machine = await lab.switchOn('killed', lab.hardwareWithNewDisk(target), 'network');

  const chunk = await takeChunkAway();
  await askForNewestImage(machine);
  await waitForRefusal(machine.console, 14);
  expect(machine.console.text().replace(/\s+/g, '')).toContain(chunk.id);
  expect(machine.console.text()).toContain('Nothing was written to any disk.');
  await expectUnchanged(target, before);
  expect((await report()).machine).toMatchObject({ outcome: 'refused', exitCode: 14, disks: [] });
  await chunk.putBack();

  await tryAgain(machine.console);
  await logOnAndChoose(machine);
  await startRestore(machine.console, lab.station.hostname);
  const [, share] = await machine.console.waitFor(/ ([3-5]\d) %/, { timeoutSeconds: 300 });
  expect(await machine.kill()).toMatchObject({ signal: 'SIGKILL' });
  process.stdout.write(`killed at ${share} %\n`);

  const sfdisk = { command: 'sfdisk', debianPackage: 'fdisk' };
  await expect(runTool('reading the partition table', sfdisk, ['--dump', target])).rejects.toMatchObject({
    cause: { message: expect.stringContaining('does not contain a recognized partition table') },
  });
  await using again = await lab.switchOn('half-restored', lab.hardwareWithNewDisk(target), 'disk');
  await again.console.waitFor(/not a bootable disk/, { timeoutSeconds: 60 });
});

test('the next F12 resumes, armed and without a word typed, and ends as casync reads the image', async () => {
  const half = await measureCommonData(target, image.reference);
  expect(half.same).toBeGreaterThan(half.data / 4);
  expect(half.same).toBeLessThan(half.data);

  const { hostname } = lab.station;
  const permit = ['--image', `${hostname}@latest`, '--for', '30m', '--accept-replaced'];
  await lab.site.rekindle('station', 'arm', hostname, ...permit);
  await using machine = await lab.switchOn('resumed', lab.hardwareWithNewDisk(target), 'network');
  await see(machine, `${hostname} is restored.`, 420);
  await machine.waitForEnd({ timeoutSeconds: 60 });
  expect(machine.console.text()).not.toContain('Technician:');

  const whole = [{ startByte: 0, sizeBytes: diskBytes }];
  expect(await firstDifference(target, image.reference, whole)).toBeUndefined();
  const { startedBy, machine: told } = await report();
  expect(startedBy.how).toBe('armed');
  const fetched = told.disks[0]?.bytes.fetched ?? Number.NaN;
  const keptShare = (half.data - fetched) / half.same;
  process.stdout.write(
    `${half.same / 2 ** 20} of ${half.data / 2 ** 20} MiB were right, ${fetched / 2 ** 20} MiB fetched: ${(keptShare * 100).toFixed(1)} % kept\n`,
  );
  expect(keptShare).toBeGreaterThanOrEqual(0.9);
});

test('armed was for once; wrong passwords are counted, then even the right one has to wait', async () => {
  const before = await hashFile(target);
  await using machine = await lab.switchOn('locked', lab.hardwareWithNewDisk(target), 'network');
  const { technician } = lab.site.credentials;
  const tryPassword = (password: string) => logOn(machine.console, { technician, password });
  for (let left = tries - 1; left > 0; left -= 1) {
    await tryPassword(`wrong ${left}`);
    await see(machine, left === 1 ? 'one try is left.' : `${left} tries are left.`, 60);
  }
  await tryPassword('wrong 0');
  await see(machine, 'There were too many wrong passwords', 60);
  lockedAt = performance.now();
  await logOn(machine.console, lab.site.credentials);
  await see(machine, 'There were too many wrong passwords', 60);
  await machine.powerOff();
  expect(machine.console.text()).not.toContain('is logged on');
  await expectUnchanged(target, before);
});

test('an unknown machine gets no offer at all', async () => {
  const mac = '52:54:00:77:00:99';
  const stranger: MachineHardware = {
    ...withNic(lab.hardwareWith(await lab.blankDisk('stranger')), { mac }),
    smbios: { ...lab.hardwareWith('').smbios, uuid: '5245b1d1-0000-4000-8000-0000000000ff', serial: 'X-1' },
  };
  await using machine = await lab.switchOn('unknown', stranger, 'network');
  await machine.console.waitFor(/No configuration methods succeeded|not a bootable disk/, {
    timeoutSeconds: 120,
  });
  await machine.powerOff();
  expect(machine.console.text()).not.toMatch(/10\.77\.0\.\d+\/|Rekindle/);

  const log = (await readFile(path.join(evidence, 'service.log'), 'utf8')).split('\n');
  const about = log.filter((line) => line.includes(mac)).map((line) => JSON.parse(line));
  expect(about.length).toBeGreaterThan(0);
  expect(new Set(about.map(({ msg }) => msg))).toEqual(new Set(['dhcp ignored']));
  expect(about[0].reasons).toContain('no station has this network card, and no enrolment window is open');
});

test('a disk smaller than the last used block: exit code 13 and the shortfall, once the lock is over', async () => {
  const small = await lab.blankDisk('small', diskBytes - 2 * 2 ** 20);
  await leaveOldData(small);
  const before = await hashFile(small);
  await using machine = await lab.switchOn('small-disk', lab.hardwareWithNewDisk(small), 'network');
  await machine.console.waitFor(/Technician: $/m, { timeoutSeconds: 240 });
  const lockLeft = lockedAt + lockMinutes * 60_000 - performance.now();
  if (lockLeft > 0) await sleep(lockLeft + 1000);
  // The question stands already; an empty answer brings it again for the one who waits for it.
  await machine.console.type('\r');
  await askForNewestImage(machine);
  await waitForRefusal(machine.console, 13);
  await machine.powerOff();
  expect(machine.console.text()).toMatch(/The\s+disk\s+is\s+too\s+small\s+by\s+\d+\s+bytes/);
  await expectUnchanged(small, before);
  expect((await report()).machine).toMatchObject({ outcome: 'refused', exitCode: 13, disks: [] });
});

const paths = () => sitePaths(lab.site.directory);

/** Serves another second initrd as the station's driver pack, until it is disposed of. */
async function swapPack(bytes: Uint8Array): Promise<AsyncDisposable> {
  const pack = packFile(paths(), lab.station.hostname);
  const own = await readFile(pack);
  await writeFile(pack, bytes);
  return { [Symbol.asyncDispose]: () => writeFile(pack, own) };
}

/** Takes one chunk of the image out of the store. */
async function takeChunkAway(): Promise<{ readonly id: string; putBack(): Promise<void> }> {
  const chunks = path.join(lab.site.store, 'chunks.castr');
  const names = (await readdir(chunks, { recursive: true })).filter((name) => name.endsWith('.cacnk')).sort();
  const name = names[Math.floor(names.length / 2)] ?? '';
  const [file, aside] = [path.join(chunks, name), path.join(evidence, 'chunk-taken-away')];
  await moveAcross(file, aside);
  return { id: path.basename(name, '.cacnk'), putBack: () => moveAcross(aside, file) };
}

/** The evidence may lie in another file system than the store. */
async function moveAcross(from: string, to: string): Promise<void> {
  await writeFile(to, await readFile(from));
  await rm(from);
}
