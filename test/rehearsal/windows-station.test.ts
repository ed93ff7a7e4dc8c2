import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import {
  buildWindowsStation,
  stationDisk,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { captureImageOf, captureKey, somePassportDisk } from '#test/support/capture-image-of.ts';
import { controllerName, controllerStation } from '#test/support/controller-station.ts';
import { probeSays, startProbeMachine } from '#test/support/probe-machine.ts';
import { MiB, makeBlankDisk, readAt, run } from '#test/support/restore-demo-disk.ts';
import { someBackup, writeSystemState } from '#test/support/system-state-in-store.ts';
import { config, hiveSays, inVolume } from '#test/support/windows-disk.ts';

/**
 * A domain controller of Windows' shape in the runtime as it is built: libhivex by koffi, ntfs-3g, mtools and loop
 * devices work inside it, and what they have done is read outside (test/support/controller-probe.ts). One boot, two
 * recoveries: the first puts a system state of the store onto its data volume, which the second leaves alone.
 */

const stateTaken = '20261120T020000Z';
const backup = someBackup(stateTaken, 5_000_000);
const wwn = 0x3000_0000_0077_0021n;

/** The controller's image in a file system of its own, as a disk. */
async function makeStore(directory: string, station: string): Promise<string> {
  const store = path.join(directory, 'store');
  fs.mkdirSync(store);
  const passportDisk = somePassportDisk(stationDisk.sizeBytes, {
    model: 'REKINDLE LAB DISK',
    serial: 'DC-DISK-0001',
    wwn: `naa.${wwn.toString(16)}`,
  });
  await captureImageOf(store, [{ path: station, passportDisk }], {
    station: stationNameSchema.parse(controllerName),
    computerName: controllerName,
    stationRole: 'domain-controller',
    dataVolumes: ['PROJECTS'],
  });
  writeSystemState(store, captureKey, { station: controllerName, utc: stateTaken, files: backup });
  fs.writeFileSync(path.join(store, 'site.pub'), formatPublicKey(captureKey));
  const disk = makeBlankDisk(path.join(directory, 'store.raw'), 64 * MiB);
  run('mkfs.ext4', '-q', '-F', '-d', store, disk);
  return disk;
}

/** The station's disk, of which the data volume alone has survived. */
function makeDamagedDisk(directory: string, original: string): string {
  const disk = path.join(directory, 'disk.raw');
  run('cp', '--sparse=always', original, disk);
  const { esp, windows } = stationDisk;
  run(
    ...(['fallocate', '--punch-hole', '--offset', String(esp.startByte)] as const),
    ...['--length', String(windows.startByte + windows.sizeBytes - esp.startByte), disk],
  );
  return disk;
}

test('a controller is restored, changed and inspected in the built runtime; its disk is read outside', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'windows-station-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const original = path.join(directory, 'original.raw');
  await buildWindowsStation(original, controllerStation());
  const store = await makeStore(directory, original);
  const disk = makeDamagedDisk(directory, original);

  await using machine = await startProbeMachine({
    name: 'windows-station',
    entry: 'test/support/controller-probe.ts',
    directory,
    disks: [
      { file: disk, serial: 'DC-DISK-0001', wwn },
      { file: store, serial: 'STORE-0001', wwn: wwn + 1n },
    ],
  });
  expect(await probeSays(machine, 'copied')).toMatchObject({
    hooks: [{ hook: 'state', result: { outcome: 'staged' } }, { hook: 'inspection' }],
  });
  const { steps, hooks, disks, why } = await probeSays(machine, 'recovered');
  expect(why).toBeUndefined();
  expect(steps.slice(-4)).toEqual(['apply-hooks', 'finish-disks', 'repair-boot-entries', 'inspect-windows']);
  // Shows the findings when it fails.
  expect(hooks.filter((each: { result: { outcome: string } }) => each.result.outcome === 'failed')).toEqual(
    [],
  );
  expect(hooks).toMatchObject([
    { hook: 'state', result: { outcome: 'staged' } },
    { hook: 'inspection', result: { outcome: 'done' } },
  ]);
  expect(disks).toMatchObject([{ serial: 'DC-DISK-0001' }]);
  // Nothing is left mounted or attached.
  expect(await probeSays(machine, 'end')).toEqual({ loops: '', mounts: '0' });
  await machine.waitForEnd({ timeoutSeconds: 60 });

  const read = (file: string, name: string) =>
    inVolume(file, stationDisk.windows, (root) => fs.readFileSync(`${root}/${config}/${name}`));
  const parameters = 'ControlSet001\\Services\\NTDS\\Parameters';
  expect(hiveSays(read(disk, 'SYSTEM'), parameters, 'Database restored from backup')).toBe('1');
  expect(hiveSays(read(disk, 'SYSTEM'), parameters, 'DSA Working Directory')).toBe('C:\\Windows\\NTDS');
  expect(hiveSays(read(disk, 'SYSTEM'), 'ControlSet001\\Services\\e1iexpress', 'Start')).toBe('4');
  inVolume(disk, stationDisk.projects, (root) => {
    for (const [name, bytes] of Object.entries(backup))
      expect(
        fs.readFileSync(path.join(root, 'WindowsImageBackup', controllerName, name)).equals(bytes),
        name,
      ).toBe(true);
  });
  const staged = inVolume(disk, stationDisk.windows, (root) =>
    fs.readdirSync(`${root}/Windows/Rekindle/work`),
  );
  expect(staged).toEqual(expect.arrayContaining(['domain-controller.js', 'lift-quarantine.cmd']));
  expect(read(disk, 'SYSTEM.rekindle-original')).toEqual(read(original, 'SYSTEM'));
  expect(run('sgdisk', '--verify', disk)).toContain('No problems found');
  const { startByte, sizeBytes } = stationDisk.esp;
  expect(readAt(disk, startByte, sizeBytes)).toEqual(readAt(original, startByte, sizeBytes));
});
