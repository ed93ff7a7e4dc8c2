import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { formatImageName, formatImageRef } from '#images/format/image-name.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import type { HttpStoreRef } from '#images/stores/chunk-store.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { mintToken } from '#pxe-server/jobs/token.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { exitCodeOfEnding } from '#runtime/engine/findings.ts';
import {
  buildWindowsStation,
  placeOf,
  stationDisk,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { systemHive } from '#scripts/rehearsal/windows-station/station-hives.ts';
import { type ApiService, startApiService } from '#test/support/api-on-loopback.ts';
import { captureImageOf, somePassportDisk } from '#test/support/capture-image-of.ts';
import {
  controllerIdentity,
  controllerName,
  controllerStation,
  storedBackup,
} from '#test/support/controller-station.ts';
import { cutWindowsPower, sizeOnMounts } from '#test/support/cut-windows-power.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import { type ControllerRecovery, recoverController } from '#test/support/recover-controller.ts';
import { makeBlankDisk, makeTemporaryFolder, readAt, run } from '#test/support/restore-demo-disk.ts';
import { serveStallingStore } from '#test/support/stalling-store.ts';
import { type BackupFiles, someBackup, writeSystemState } from '#test/support/system-state-in-store.ts';
import { config, hiveSays, inVolume, writeFiles } from '#test/support/windows-disk.ts';

/**
 * A domain controller never starts between the restore and its offline hook: the disk has no first blocks until the
 * hook has succeeded. On loop devices, by the runtime's own steps, with a process killed in between.
 */

const directory = 'ControlSet001\\Services\\NTDS\\Parameters';
let folder: ReturnType<typeof makeTemporaryFolder>;
/** Whose images these are. */
let service: ApiService;
const inFolder = (name: string): string => path.join(folder.path, name);

/** Captures a disk as the controller's image. */
async function capture(disk: string): Promise<Omit<ControllerRecovery, 'device'>> {
  const passportDisk = somePassportDisk(stationDisk.sizeBytes);
  const store = `${disk}.store`;
  fs.mkdirSync(store);
  const { name } = await captureImageOf(store, [{ path: disk, passportDisk }], {
    station: stationNameSchema.parse(controllerName),
    computerName: controllerName,
    stationRole: 'domain-controller',
    signingKey: service.context.signingKey,
  });
  return { store, image: formatImageName(name), publicKey: inFolder('site.pub') };
}

let good: Omit<ControllerRecovery, 'device'>;
let contradicting: Omit<ControllerRecovery, 'device'>;
beforeAll(async () => {
  folder = makeTemporaryFolder();
  service = await startApiService();
  fs.writeFileSync(inFolder('site.pub'), formatPublicKey(service.context.signingKey));
  await buildWindowsStation(inFolder('good.img'), controllerStation());
  good = await capture(inFolder('good.img'));
  run('cp', '--sparse=always', inFolder('good.img'), inFolder('other.img'));
  const hive = systemHive({ ...controllerIdentity, productType: 'ServerNT' }, placeOf(stationDisk.windows));
  await writeFiles(inFolder('other.img'), stationDisk.windows, { [`${config}/SYSTEM`]: hive });
  contradicting = await capture(inFolder('other.img'));
}, 300_000);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const restoreCount = (disk: string): string =>
  hiveSays(
    inVolume(disk, stationDisk.windows, (root) => fs.readFileSync(`${root}/${config}/SYSTEM`)),
    directory,
    'Database restored from backup',
  );
const lastBytes = 512 * 33;

/** No firmware finds anything: no boot record, neither table, only the note of an interrupted restore. */
function expectNoStart(device: string, file: string): void {
  expect(readAt(file, 0, 4096).equals(Buffer.alloc(4096))).toBe(true);
  expect(readAt(file, stationDisk.sizeBytes - lastBytes, lastBytes).equals(Buffer.alloc(lastBytes))).toBe(
    true,
  );
  const { table, interrupted } = readTargetDisk(device, true);
  expect(table.kind).toBe('none');
  expect(interrupted).not.toBeNull();
}

test('killed between restore and hook: nothing starts; the next run repeats the hook, then writes the first blocks', async () => {
  const file = makeBlankDisk(inFolder('target.img'), stationDisk.sizeBytes);
  using loop = attachLoop(file);
  const child = spawn(
    process.execPath,
    ['test/support/recover-controller-child.ts', loop.path, good.store, good.image, good.publicKey],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  for await (const said of child.stdout) if (String(said).includes('content restored')) break;
  child.kill('SIGKILL');
  expect((await ended)[1]).toBe('SIGKILL');
  expectNoStart(loop.path, file);
  // What the hook would have changed is on the disk, as the image has it.
  expect(() => restoreCount(file)).toThrow();

  const { findings, steps, error } = await recoverController({ ...good, device: loop.path });
  expect(error).toBeUndefined();
  expect(steps.slice(-5)).toEqual([
    'restore-disks',
    'apply-hooks',
    'finish-disks',
    'repair-boot-entries',
    'inspect-windows',
  ]);
  expect(restoreCount(file)).toBe('1');
  expect(findings.hooks.map(({ hook, result }) => [hook, result.outcome])).toEqual([
    ['state', 'staged'],
    ['inspection', 'done'],
  ]);
  expect(findings.disks).toHaveLength(1);
  const table = { startByte: 0, sizeBytes: stationDisk.esp.startByte };
  for (const { startByte, sizeBytes } of [
    table,
    { startByte: stationDisk.sizeBytes - lastBytes, sizeBytes: lastBytes },
  ])
    expect(readAt(file, startByte, sizeBytes)).toEqual(readAt(inFolder('good.img'), startByte, sizeBytes));
  expect(run('sgdisk', '--verify', file)).toContain('No problems found');
});

describe('with a system state from the store', () => {
  const vhdx = 'Backup 2026-11-20 020000/b2b0.vhdx';
  const backup = `WindowsImageBackup/${controllerName}`;
  let chosen: string;
  let files: BackupFiles;
  beforeAll(() => {
    const utc = '20261120T020000Z';
    files = someBackup(utc, 4_000_000);
    chosen = formatImageRef(
      writeSystemState(good.store, service.context.signingKey, { station: controllerName, utc, files }).name,
    );
  });

  /** The store as the runtime has it from the service: a restore of this station is open there. */
  function overHttps(): HttpStoreRef {
    const { context, port, ca } = service;
    fs.rmSync(context.store, { recursive: true, force: true });
    fs.symlinkSync(good.store, context.store);
    const who = { how: 'technician', technician: 'erika', station: controllerName } as const;
    const image = { imageName: good.image, manifestSha256: null };
    const job = openJob(context.state, { ...who, ...image, kind: 'restore', machine: 'test' });
    const expiresAt = Date.now() + 600_000;
    const token = mintToken(context.state, { ...who, kind: 'job', job, expiresAt });
    const url = `https://127.0.0.1:${port}/api/v1/store`;
    return { kind: 'http', url, token, tls: { ca, serverName: 'rekindle' } };
  }

  test('killed in the middle of its copy: nothing starts; the next run copies it all over HTTPS, then writes the first blocks', async () => {
    const file = makeBlankDisk(inFolder('copied.img'), stationDisk.sizeBytes);
    using loop = attachLoop(file);
    {
      using server = await serveStallingStore(good.store, vhdx);
      const args = [loop.path, good.store, good.image, good.publicKey, server.url, chosen];
      const child = spawn(process.execPath, ['test/support/recover-controller-child.ts', ...args], {
        stdio: 'inherit',
      });
      await Promise.race([server.stalled, once(child, 'exit')]);
      await vi.waitFor(() => expect(sizeOnMounts(loop.path, `${backup}/${vhdx}`)).toBeGreaterThan(0));
      await cutWindowsPower(child, loop.path);
    }
    expectNoStart(loop.path, file);

    const { findings, steps, error } = await recoverController({
      ...{ ...good, device: loop.path },
      ...{ systemState: storedBackup, chosen, source: overHttps() },
    });
    expect(error).toBeUndefined();
    expect(steps.indexOf('check-system-state')).toBeLessThan(steps.indexOf('restore-disks'));
    expect(findings.hooks[0]).toMatchObject({ result: { outcome: 'staged' } });
    inVolume(file, stationDisk.projects, (root) => {
      for (const [name, bytes] of Object.entries(files))
        expect(fs.readFileSync(path.join(root, backup, name)).equals(bytes)).toBe(true);
    });
    expect(run('sgdisk', '--verify', file)).toContain('No problems found');
    expect(findings.disks).toHaveLength(1);
  });

  test('one that cannot be believed is refused before the first write', async () => {
    const file = makeBlankDisk(inFolder('unbelieved.img'), stationDisk.sizeBytes);
    using loop = attachLoop(file);
    const gone = 'DC-1@20261119T020000Z';
    const { steps, error } = await recoverController({
      ...{ ...good, device: loop.path },
      ...{ systemState: storedBackup, chosen: gone },
    });
    expect(error).toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('DC-1_20261119'),
    });
    expect(steps).not.toContain('restore-disks');
    expect(readAt(file, 0, 4096).equals(Buffer.alloc(4096))).toBe(true);
    expect(readTargetDisk(loop.path, true).interrupted).toBeNull();
  });
});

test('the hook fails: no first blocks, exit code 3, and the report says why and what to do', async () => {
  const file = makeBlankDisk(inFolder('refused.img'), stationDisk.sizeBytes);
  using loop = attachLoop(file);
  const { findings, steps, error } = await recoverController({ ...contradicting, device: loop.path });
  expect(error).toMatchObject({
    code: 'failed-hooks',
    message: `putting the restored system of ${controllerName} right before it starts`,
    cause: { message: expect.stringContaining('its registry says that it is a server') },
    next: expect.stringMatching(
      /^Its disks have no first blocks and do not start\..*start the restore again/,
    ),
  });
  expect(exitCodeOfEnding({ kind: 'failed', error }, findings.hooks)).toBe(3);
  expect(findings.hooks).toMatchObject([{ hook: 'state', result: { outcome: 'failed' } }]);
  expect(steps).not.toContain('finish-disks');
  expectNoStart(loop.path, file);
});

test('a network card was replaced: refused before the first write, because the hook would refuse after the last', async () => {
  const file = makeBlankDisk(inFolder('new-card.img'), stationDisk.sizeBytes);
  fs.writeFileSync(file, 'what was there', { flag: 'r+' });
  using loop = attachLoop(file);
  const newCard = '52:54:00:00:99:01';
  const { steps, error } = await recoverController({ ...good, device: loop.path, newCard });
  expect(error).toMatchObject({
    code: 'failed-hooks',
    cause: { message: expect.stringContaining(newCard) },
    next: expect.stringMatching(/`quarantine: by-hand`.*Nothing was written\.$/),
  });
  expect(steps).not.toContain('restore-disks');
  expect(readAt(file, 0, 14).toString()).toBe('what was there');
});
