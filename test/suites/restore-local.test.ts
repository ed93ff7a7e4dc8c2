import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exitCodeOf } from '#base/errors.ts';
import { runReportSchema } from '#contract/run-report.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { formatPublicKey, formatSecretKey } from '#images/format/minisign.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { readReadings } from '#images/stores/announce-reading.ts';
import { readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { assertDiskFree } from '#runtime/block/assert-disk-free.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import { type LocalRestoreInput, restoreLocally } from '#runtime/local-restore.ts';
import { formatInterruptedRestore, noteOffset } from '#runtime/restore/interrupted-restore.ts';
import { believeImage } from '#runtime/steps/open-job.ts';
import { writeLocalReport } from '#scripts/restore/write-local-report.ts';
import { captureImageOf, captureKey } from '#test/support/capture-image-of.ts';
import { fileMachine } from '#test/support/file-machine.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import {
  demoDisk,
  MiB,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfFile,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { createPipedPort } from '#test/support/terminal-screen.ts';

/** `rekindle restore`: the whole run on loop devices, whose identity the test gives (they have none of their own). */

const station = stationNameSchema.parse('OS-SRV-1A');
const [someDisk] = somePassport().disks as [PassportDisk];
const passportDisk = { ...someDisk, sizeBytes: demoDisk.sizeBytes };
const healthy: HardwarePassport = { ...somePassport(), disks: [passportDisk] };
let folder: ReturnType<typeof makeTemporaryFolder>;
let store: string;
let original: string;

const inFolder = (name: string): string => path.join(folder.path, name);

let image: Awaited<ReturnType<LocalRestoreInput['readImage']>> & { readonly ref: string };
beforeAll(async () => {
  folder = makeTemporaryFolder();
  store = inFolder('store');
  fs.mkdirSync(store);
  fs.writeFileSync(inFolder('site.pub'), formatPublicKey(captureKey));
  fs.writeFileSync(inFolder('site.key'), formatSecretKey(captureKey));
  original = makeDemoDisk(folder.path);
  const disk = { path: original, passportDisk };
  const { name } = await captureImageOf(store, [disk], { passport: healthy, dataVolumes: ['PROJECTS'] });
  const ref = formatImageRef(name);
  const believed = await believeImage({
    ref,
    ...(await readManifest(store, name, captureKey)),
    key: captureKey,
    readListed: (manifest, file) => readListedFile(store, name, manifest, file),
    source: { kind: 'directory', path: store },
  });
  image = { ...believed, ref };
});
afterAll(() => folder[Symbol.dispose]());

function start(devicePath: string, options: Partial<LocalRestoreInput> = {}) {
  const port = createPipedPort();
  const result = restoreLocally({
    machine: fileMachine({
      site: { ca: '', imageSigner: '' },
      passport: healthy,
      disks: [{ passportDisk, devicePath }],
    }),
    terminal: createTerminal([port]),
    readImage: async () => image,
    dryRun: false,
    technician: 'meier',
    signal: new AbortController().signal,
    ...options,
  });
  return { port, result };
}

const readings = async () => [...(await readReadings(store, Date.now(), 60_000))];

/** The station's disk with a newer data volume and a damaged system, as a block device. */
function damagedDisk(name: string) {
  const file = inFolder(name);
  fs.copyFileSync(original, file);
  writeAt(file, noise('damage', 3 * MiB), demoDisk.root.startByte + MiB);
  writeAt(file, noise('newer', MiB), demoDisk.projects.startByte + 8 * MiB);
  return { file, before: sha256OfFile(file), projects: sha256OfRange(file, demoDisk.projects) };
}

describe('on a block device', () => {
  test('the name typed: restored, read back, data volume untouched; the report says it is not signed', async () => {
    const { file, projects } = damagedDisk('typed.img');
    using loop = attachLoop(file);
    const { port, result } = start(loop.path);
    await port.waitFor(`Type ${station} to start the restore: `);
    // From before the plan to the end, prune on whatever machine knows.
    expect(await readings()).toEqual([[image.ref, [expect.stringContaining('a restore on')]]]);
    port.type(`${station}\r`);
    const restored = await result;
    expect(await readings()).toEqual([]);
    expect(restored.ending).toEqual({ kind: 'restored', station });
    expect(sha256OfRange(file, demoDisk.root)).toBe(sha256OfRange(original, demoDisk.root));
    expect(sha256OfRange(file, demoDisk.projects)).toBe(projects);

    const facts = { station, technician: 'meier', openedAt: new Date(), signingKey: inFolder('none') };
    const report = inFolder('report.json');
    expect(await writeLocalReport(report, restored, facts)).toContain('it is not signed');
    const { machine, startedBy } = runReportSchema.parse(JSON.parse(fs.readFileSync(report, 'utf8')));
    expect(startedBy.technician).toBe('meier');
    expect(machine).toMatchObject({ outcome: 'restored', exitCode: 0 });
    expect(machine.unverified.join(' ')).toContain('so it is not signed');
    expect(fs.existsSync(`${report}.minisig`)).toBe(false);

    expect(
      await writeLocalReport(report, restored, { ...facts, signingKey: inFolder('site.key') }),
    ).toContain('signed in');
    run('minisign', '-V', '-p', inFolder('site.pub'), '-m', report);
  });

  test.each([
    ['a dry run', { dryRun: true }, 'dry-run'],
    ['another disk named', { onlyDisk: '/dev/null' }, 13],
    ['no such volume', { volumes: 'D:' }, 2],
  ])('%s: not one byte is written', async (_, options, expected) => {
    const { file, before } = damagedDisk('untouched.img');
    using loop = attachLoop(file);
    const { ending } = await start(loop.path, options).result;
    expect(ending.kind === 'failed' ? exitCodeOf(ending.error) : ending.kind).toBe(expected);
    expect(sha256OfFile(file)).toBe(before);
  });

  test('a domain controller, which may have partners: refused before anybody types its name', async () => {
    const { file, before } = damagedDisk('controller.img');
    using loop = attachLoop(file);
    const manifest = { ...image.manifest, stationRole: 'domain-controller' as const };
    const { result } = start(loop.path, { readImage: async () => ({ ...image, manifest }) });
    // Nothing is typed: a question would be waited at for ever.
    const { ending, steps } = await result;
    expect(ending.kind === 'failed' ? exitCodeOf(ending.error) : ending.kind).toBe(3);
    expect(steps.map(({ step }) => step)).not.toContain('confirm');
    expect(sha256OfFile(file)).toBe(before);
  });

  test('the end of the keyboard is no answer: 130, not one byte is written', async () => {
    const { file, before } = damagedDisk('closed.img');
    using loop = attachLoop(file);
    const { port, result } = start(loop.path);
    await port.waitFor('to start the restore: ');
    port.input.end();
    const { ending } = await result;
    expect(ending.kind === 'failed' && exitCodeOf(ending.error)).toBe(130);
    expect(sha256OfFile(file)).toBe(before);
  });

  test('every volume, data volumes too: as the image has it, after a second word', async () => {
    const { file } = damagedDisk('all.img');
    using loop = attachLoop(file);
    const { port, result } = start(loop.path, { volumes: 'all' });
    await port.waitFor('to start the restore: ');
    port.type(`${station}\r`);
    await port.waitFor('Type OVERWRITE to lose what is on them now: ');
    port.type('OVERWRITE\r');
    expect((await result).ending.kind).toBe('restored');
    expect(sha256OfRange(file, demoDisk.projects)).toBe(sha256OfRange(original, demoDisk.projects));
  });

  test('one volume, interrupted: nothing outside of it changed, and it is known as half restored', async () => {
    const { file, projects } = damagedDisk('interrupted.img');
    const outside = [
      { startByte: 0, sizeBytes: demoDisk.projects.startByte },
      { startByte: 90 * MiB, sizeBytes: 6 * MiB },
    ];
    const before = outside.map((range) => sha256OfRange(file, range));
    using loop = attachLoop(file);
    const interrupt = new AbortController();
    const { port, result } = start(loop.path, { volumes: 'PROJECTS', signal: interrupt.signal });
    await port.waitFor('to start the restore: ');
    port.type(`${station}\r`);
    await port.waitFor('Type OVERWRITE');
    interrupt.abort();
    port.type('OVERWRITE\r');
    const { ending } = await result;
    expect(ending.kind === 'failed' && exitCodeOf(ending.error)).toBe(130);
    expect(sha256OfRange(file, demoDisk.projects)).toBe(projects);
    // It had begun: the image is needed again.
    expect(await readings()).toMatchObject([[image.ref, [expect.anything()]]]);

    // Killed after its first blocks are cleared: by hand what a power cut leaves.
    writeAt(file, formatInterruptedRestore({ kept: [] }), demoDisk.projects.startByte + noteOffset);
    const again = start(loop.path);
    await again.port.waitFor('The restore of partition 3 "PROJECTS" (ntfs) was interrupted');
    await again.port.waitFor('to start the restore: ');
    again.port.type(`${station}\r`);
    expect((await again.result).ending.kind).toBe('restored');
    expect(sha256OfRange(file, demoDisk.projects)).toBe(sha256OfRange(original, demoDisk.projects));
    expect(outside.map((range) => sha256OfRange(file, range))[1]).toBe(before[1]);
  });
});

describe('what is not restored', () => {
  const writable = (device: string) => run('blockdev', '--getro', device).trim() === '0';
  const isWriteRefused = (device: string) =>
    spawnSync('dd', ['if=/dev/zero', `of=${device}`, 'bs=4096', 'count=1', 'conv=notrunc,fsync']).status !==
    0;

  test('the kernel refuses to write other disks and kept volumes until the restore is over', async () => {
    const { file, projects } = damagedDisk('locked.img');
    const stick = inFolder('stick.img');
    fs.writeFileSync(stick, noise('a stick', 4 * MiB));
    const before = sha256OfFile(stick);
    using loop = attachLoop(file);
    using other = attachLoop(stick);
    run('partx', '--update', loop.path);
    const kept = `${loop.path}p3`;
    const during: unknown[] = [];
    const machine = fileMachine({
      site: { ca: '', imageSigner: '' },
      passport: healthy,
      disks: [
        { passportDisk, devicePath: loop.path },
        {
          passportDisk: {
            ...passportDisk,
            slot: '0000:00:14.0/usb-1',
            serial: 'STICK',
            wwn: '',
            removable: true,
          },
          devicePath: other.path,
        },
      ],
    });
    const { port, result } = start(loop.path, {
      machine: {
        ...machine,
        // Asked for when the disk is written and read back, with the lock still held.
        get bootEntries() {
          during.push(
            [other.path, kept].map(isWriteRefused),
            [other.path, kept, `${loop.path}p2`, loop.path].map(writable),
          );
          return undefined;
        },
      },
    });
    await port.waitFor('to start the restore: ');
    port.type(`${station}\r`);
    expect((await result).ending.kind).toBe('restored');
    expect(during).toEqual([
      [true, true],
      [false, false, true, true],
    ]);
    expect([other.path, kept].map(writable)).toEqual([true, true]);
    expect(sha256OfFile(stick)).toBe(before);
    expect(sha256OfRange(file, demoDisk.projects)).toBe(projects);
    run('partx', '--delete', loop.path);
  });
});

test('the recovery medium, plugged in but not mounted, and a copy of it, are no targets', async () => {
  const uuid = '2026-11-27-04-36-00-00';
  const iso = inFolder('medium.iso');
  const content = inFolder('medium');
  fs.mkdirSync(content);
  fs.writeFileSync(path.join(content, 'ticket.json'), '{}');
  run(
    'xorriso',
    '-as',
    'mkisofs',
    '-quiet',
    `--modification-date=${uuid.replaceAll('-', '')}`,
    '-o',
    iso,
    content,
  );
  fs.copyFileSync(iso, inFolder('copy.iso'));
  const root = `${inFolder('root')}/`;
  fs.mkdirSync(path.join(root, 'rekindle/medium'), { recursive: true });
  const ticket = path.join(root, 'rekindle/medium/ticket.json');
  fs.writeFileSync(ticket, JSON.stringify({ station, fileSystemUuid: uuid }));
  fs.writeFileSync(`${ticket}.minisig`, 'checked where it permits something');
  const other = damagedDisk('no-medium.img');
  using medium = attachLoop(iso);
  using copy = attachLoop(inFolder('copy.iso'));
  using disk = attachLoop(other.file);
  for (const { path: device } of [medium, copy]) {
    await expect(assertDiskFree(device, [], { root })).rejects.toMatchObject({
      code: 'target-unfit',
      cause: new Error(`the recovery medium (${path.basename(device)}) lies on it. Nothing was written.`),
    });
    // Without the ticket this runtime was started from something else.
    await expect(assertDiskFree(device, [], { root: `${inFolder('elsewhere')}/` })).resolves.toBeUndefined();
  }
  await expect(assertDiskFree(disk.path, [], { root })).resolves.toBeUndefined();
});
