import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runReportSchema } from '#contract/run-report.ts';
import { probeSays, startProbeMachine } from '#test/support/probe-machine.ts';
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

/**
 * `rekindle restore` typed on a machine whose disk says who it is (ATA serial number and WWN), and the same image as
 * a block device by `casync mkdev`, for which no host needs the nbd module (test/support/own-disk-probe.ts).
 */

test('rekindle restore on the machine itself: recognised, typed, put back; casync shows the same disk', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'own-disk-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const disk = makeDemoDisk(directory);
  const healthy = sha256OfRange(disk, demoDisk.root);
  const store = makeBlankDisk(path.join(directory, 'store.raw'), 256 * MiB);
  run('mkfs.ext4', '-q', '-F', store);

  await using machine = await startProbeMachine({
    name: 'own-disk',
    entry: 'test/support/own-disk-probe.ts',
    directory,
    disks: [
      { file: disk, serial: 'OWN-DISK-0001', wwn: 0x3000_0000_0077_0011n },
      { file: store, serial: 'STORE-0001', wwn: 0x3000_0000_0077_0012n },
    ],
    modules: ['ext4', 'nbd'],
    programs: [['/usr/bin/casync', 'casync']],
  });
  const { console } = machine;
  expect(await probeSays(machine, 'captured')).toEqual({
    serial: 'OWN-DISK-0001',
    wwn: 'naa.3000000000770011',
  });

  await console.waitFor(/Type OS-SRV-1A to start the restore: $/m, { timeoutSeconds: 120 });
  await console.type('OS-SRV-1A\r');
  await console.waitFor(/OS-SRV-1A is restored\./, { timeoutSeconds: 120 });
  await probeSays(machine, 'restored');
  const shown = await probeSays(machine, 'mkdev');
  await probeSays(machine, 'end');
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
