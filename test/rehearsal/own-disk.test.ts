import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { workerEntries } from '#base/worker-threads.ts';
import { runReportSchema } from '#contract/run-report.ts';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { compressInitrd } from '#driver-packs/initrd-file.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import { buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { programFiles } from '#scripts/runtime/tool-files.ts';
import {
  demoDisk,
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  noise,
  readAt,
  run,
  sha256OfFile,
  sha256OfRange,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/**
 * `rekindle restore` typed on a machine whose disk says who it is (ATA serial number and WWN), and the same image as
 * a block device by `casync mkdev`, for which no host needs the nbd module (test/support/own-disk-probe.ts).
 */

const ahci = { id: '8086:2922', subsystem: '1af4:1100', pciClass: '010601' };

async function boot(directory: string, disk: string, store: string): Promise<EmulatedMachine> {
  const runtime = await buildRuntime({
    cacheDirectory: '.rekindle/cache',
    fast: true,
    entry: 'test/support/own-disk-probe.ts',
    workers: workerEntries,
  });
  const pack = await buildDriverPack({
    passport: {
      ...somePassport(),
      networkCards: [],
      storageControllers: [{ slot: '0000:00:1f.2', mode: 'ahci', ...ahci }],
      modaliases: [],
    },
    station: 'OS-SRV-1A',
    kernel: runtime.kernel,
    also: ['ext4', 'nbd'],
    output: path.join(directory, 'pack'),
  });
  const casync = await compressInitrd(formatCpio(await programFiles([['/usr/bin/casync', 'casync']])), 3);
  const initrd = path.join(directory, 'initrd');
  await writeFile(
    initrd,
    Buffer.concat([await readFile(runtime.initrd.path), casync, await readFile(pack.file.path)]),
  );
  const hardware = demoStationHardware({ disk });
  const sata = (file: string, serial: string, wwn: bigint) =>
    ({ kind: 'sata', file, format: 'raw', model: 'REKINDLE LAB DISK', serial, wwn }) as const;
  return await startMachine({
    name: 'own-disk',
    hardware: {
      ...hardware,
      nics: [],
      disks: [
        sata(disk, 'OWN-DISK-0001', 0x3000_0000_0077_0011n),
        sata(store, 'STORE-0001', 0x3000_0000_0077_0012n),
      ],
    },
    firmware: { kind: 'bios' },
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    directKernel: {
      kernel: runtime.vmlinuz,
      initrd,
      commandLine: 'console=ttyS0,115200 quiet no_timer_check',
    },
  });
}

test('rekindle restore on the machine itself: recognised, typed, put back; casync shows the same disk', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'own-disk-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const disk = makeDemoDisk(directory);
  const healthy = sha256OfRange(disk, demoDisk.root);
  const store = makeBlankDisk(path.join(directory, 'store.raw'), 256 * MiB);
  run('mkfs.ext4', '-q', '-F', store);

  await using machine = await boot(directory, disk, store);
  const { console } = machine;
  const outcome = async (name: string) => {
    const [, found, value] = await console.waitFor(new RegExp(`probe (${name}|broken) (.*)\\n`), {
      timeoutSeconds: 180,
    });
    if (found !== name) throw new Error(value);
    return JSON.parse(value ?? 'null');
  };
  expect(await outcome('captured')).toEqual({ serial: 'OWN-DISK-0001', wwn: 'naa.3000000000770011' });

  await console.waitFor(/Type OS-SRV-1A to start the restore: $/m, { timeoutSeconds: 120 });
  await console.type('OS-SRV-1A\r');
  await console.waitFor(/OS-SRV-1A is restored\./, { timeoutSeconds: 120 });
  await outcome('restored');
  const shown = await outcome('mkdev');
  await outcome('end');
  await machine.waitForEnd({ timeoutSeconds: 60 });

  // The system is the image's; the data volume is newer than the image, and stays as it was.
  expect(sha256OfRange(disk, demoDisk.root)).toBe(healthy);
  expect(readAt(disk, demoDisk.projects.startByte + 8 * MiB, MiB).equals(noise('newer', MiB))).toBe(true);

  const mounted = path.join(directory, 'mounted');
  await mkdir(mounted);
  run('mount', '-o', 'loop,ro', store, mounted);
  onTestFinished(() => void run('umount', mounted));
  const report = runReportSchema.parse(JSON.parse(await readFile(path.join(mounted, 'report.json'), 'utf8')));
  expect(report.machine.outcome).toBe('restored');
  const index = run('sh', '-c', `ls ${mounted}/images/OS-SRV-1A/*/*.caibx`).trim();
  const extracted = path.join(directory, 'extracted.raw');
  run('casync', 'extract', `--store=${mounted}/chunks.castr`, index, extracted);
  expect(shown).toMatchObject({ bytes: demoDisk.sizeBytes, hash: sha256OfFile(extracted) });
});
