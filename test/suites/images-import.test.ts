import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { inspectVirtualDisk } from '#images/convert/inspect-virtual-disk.ts';
import { diskIndexName, formatImageName } from '#images/format/image-name.ts';
import { imageFolder } from '#images/stores/image-folder.ts';
import { captureStation, somePassportDisk } from '#test/support/capture-image-of.ts';
import { makeCliSite, startCli } from '#test/support/cli-site.ts';
import { type StoredDisk, storeDisk } from '#test/support/image-in-store.ts';
import { importFile, setVhdxItem, watchImports } from '#test/support/import-files.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import {
  demoDisk,
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  noise,
  run,
  sha256OfFile,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Virtual disk files become images; what is refused: images-import-refusals. */

let stored: StoredDisk;
let station: string;
beforeAll(async () => {
  stored = await storeDisk(makeDemoDisk);
  station = stored.inFolder('station.img');
  process.env['TMPDIR'] = stored.folder;
});
afterAll(() => stored[Symbol.dispose]());
const helpers = watchImports(() => stored.folder);

const convert = (format: string, options: string[], name: string): string => {
  const file = stored.inFolder(name);
  run('qemu-img', 'convert', '-f', 'raw', '-O', format, ...options, station, file);
  return file;
};

let seconds = 0;

describe('virtual disks become the image that the disk itself would', () => {
  test.each([
    ['raw', 'raw', []],
    ['qcow2', 'qcow2', ['-c']],
    ['VHDX', 'vhdx', []],
    ['dynamic VHD', 'vpc', ['-o', 'force_size=on']],
    ['fixed VHD', 'vpc', ['-o', 'subformat=fixed,force_size=on']],
  ])('%s', async (name, format, options) => {
    const extension = format === 'vpc' ? 'vhd' : format;
    const file = convert(format, options, `${name}.${extension}`);
    seconds += 10;
    const writtenAt = new Date(Date.UTC(2026, 9, 1, 12, 0, seconds));
    fs.utimesSync(file, writtenAt, writtenAt);
    fs.chmodSync(file, 0o444);
    const before = sha256OfFile(file);
    // One store for all: the chunks are named by their content, so the index proves the same as they do.
    const store = stored.inFolder('imported');
    fs.mkdirSync(store, { recursive: true });
    const image = await importFile(file, { store });
    expect(sha256OfFile(file)).toBe(before);

    expect(formatImageName(image.name)).toMatch(/^OS-SRV-1A_20261001T1200\d\dZ$/);
    expect(image.manifest).toMatchObject({
      consistency: 'crash',
      capturedAt: writtenAt.toISOString(),
      tools: { 'qemu-img': expect.stringMatching(/^\d+\.\d+/) },
      disks: [{ serial: 'SSD-0001', sizeBytes: demoDisk.sizeBytes, logicalSectorBytes: 512 }],
    });
    expect(image.manifest.disks[0]?.volumes).toEqual(stored.found.disk.volumes);
    expect(image.warnings).toEqual([]);
    const index = path.join(imageFolder(store, image.name), diskIndexName(captureStation, 0));
    const back = stored.inFolder('back.img');
    onTestFinished(() => fs.rmSync(back, { force: true }));
    run('casync', 'extract', `--store=${store}/chunks.castr`, index, back);
    expect(sha256OfFile(back)).toBe(sha256OfFile(stored.expected));
  });

  test('a VHDX with sectors of 4096 bytes', async () => {
    const disk = makeBlankDisk(stored.inFolder('4kn-disk.img'), 24 * MiB);
    writeAt(disk, noise('4kn', 6 * MiB), 2 * MiB);
    {
      using loop = attachLoop(disk, { sectorBytes: 4096 });
      run('sgdisk', '--new=1:512:3000', loop.path);
    }
    const file = stored.inFolder('4kn-disk.vhdx');
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'vhdx', '-o', 'block_size=1M', disk, file);
    setVhdxItem(file, 'logicalSectorSize', 0, 4096);
    const store = stored.inFolder('4kn-store');
    fs.mkdirSync(store);
    await expect(importFile(file, { store, disks: [somePassportDisk(24 * MiB)] })).rejects.toThrow(
      'its sectors have 4096 bytes, those of that disk 512',
    );
    const passportDisk = somePassportDisk(24 * MiB, { logicalSectorBytes: 4096 });
    const image = await importFile(file, { store, disks: [passportDisk] });
    expect(image.manifest).toMatchObject({
      tools: { vhdimount: expect.stringMatching(/^\d{8}$/) },
      disks: [{ logicalSectorBytes: 4096, volumes: [{ startByte: 2 * MiB, sizeBytes: 2489 * 4096 }] }],
    });
    const index = path.join(imageFolder(store, image.name), diskIndexName(captureStation, 0));
    const back = stored.inFolder('4kn-back.img');
    run('casync', 'extract', `--store=${store}/chunks.castr`, index, back);
    expect(sha256OfFile(back)).toBe(sha256OfFile(disk));
    fs.truncateSync(file, fs.statSync(file).size - MiB);
    await expect(inspectVirtualDisk(file)).rejects.toThrow(/its blocks reach to byte \d+, and it has \d+/);
  });

  test('content that is older than the newest image does not become the latest', async () => {
    const file = convert('raw', [], 'older.raw');
    const { utc } = stored.found.image;
    const lastYear = new Date('2025-01-01T00:00:00Z');
    fs.utimesSync(file, lastYear, lastYear);
    await expect(importFile(file, { store: stored.store })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`OS-SRV-1A@${utc} is not older`),
    });
  });

  test.each(['written', 'replaced'])('a file that is %s while it is read gives no image', async (how) => {
    const file = convert('qcow2', [], `${how}.qcow2`);
    const store = stored.inFolder(`${how}-store`);
    fs.mkdirSync(store);
    const onProgress = (): void => {
      if (how === 'written') fs.utimesSync(file, new Date(), new Date());
      else if (!fs.existsSync(`${file}.before`)) {
        fs.renameSync(file, `${file}.before`);
        fs.copyFileSync(`${file}.before`, file);
      }
    };
    await expect(importFile(file, { store, onProgress })).rejects.toMatchObject({
      code: 'target-unfit',
      message: expect.stringContaining(`it was ${how} while it was read`),
    });
    expect(fs.existsSync(`${store}/images`)).toBe(false);
  });

  test('a file of another size is refused, or taken and told', async () => {
    const file = convert('qcow2', [], 'smaller.qcow2');
    fs.mkdirSync(stored.inFolder('smaller'));
    const larger = somePassportDisk(demoDisk.sizeBytes + MiB);
    await expect(importFile(file, { store: stored.store, disks: [larger] })).rejects.toMatchObject({
      code: 'target-unfit',
      next: expect.stringContaining('--accept-size'),
    });
    const image = await importFile(file, {
      acceptSize: true,
      disks: [larger],
      store: stored.inFolder('smaller'),
    });
    expect(image.warnings).toEqual([
      expect.stringContaining(`has ${demoDisk.sizeBytes} bytes (96 MiB), the disk at 0000:00:1f.2/ata1`),
    ]);
    expect(image.manifest.disks[0]?.sizeBytes).toBe(demoDisk.sizeBytes);
  });
});

describe('rekindle image import', () => {
  let site: string;
  let passport: string;
  beforeAll(async () => {
    site = await makeCliSite(stored.folder);
    passport = stored.inFolder('passport.json');
    const disks = [
      somePassportDisk(demoDisk.sizeBytes),
      somePassportDisk(8 * MiB, { slot: '0000:00:1f.2/ata2', serial: 'SSD-0002' }),
    ];
    fs.writeFileSync(passport, JSON.stringify({ ...somePassport(), disks }));
  });
  const start = (store: string, ...args: string[]) =>
    startCli(
      ...['image', 'import', '--site', site, '--store', store, '--station', 'AS-2', '--passport', passport],
      ...args,
    );

  test('two disks become one image, with what the operator says of it', async () => {
    const store = stored.inFolder('cli-store');
    fs.mkdirSync(store);
    const system = convert('vhdx', [], 'system.vhdx');
    const data = makeBlankDisk(stored.inFolder('data.raw.img'), 8 * MiB);
    writeAt(data, noise('data', 100_000), 0);
    await using cli = start(
      store,
      ...[data, system, '--disk-slot', '0000:00:1f.2/ata2', '--disk-slot', '0000:00:1f.2/ata1'],
      ...['--consistency', 'snapshot-with-application-writers', '--captured-at', '2026-11-19T03:00:00Z'],
    );
    expect(await cli.exitCode, cli.output()).toBe(0);
    expect(cli.output()).toContain('Image AS-2@20261119T030000Z is published, signed and verified.');
    const manifest = JSON.parse(
      fs.readFileSync(`${store}/images/AS-2/AS-2_20261119T030000Z/manifest.json`, 'utf8'),
    );
    expect(manifest).toMatchObject({
      consistency: 'snapshot-with-application-writers',
      disks: [{ serial: 'SSD-0002' }, { serial: 'SSD-0001' }],
    });
  });

  test('killed, it leaves no program, no mount and no image', async () => {
    const store = stored.inFolder('killed-store');
    fs.mkdirSync(store);
    const file = stored.inFolder('large.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', file, '512M');
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 7 0 400M', file);
    await using cli = start(store, file, '--disk-slot', '0000:00:1f.2/ata1', '--accept-size');
    await expect.poll(() => fs.existsSync(`${store}/chunks.castr`), { timeout: 20_000 }).toBe(true);
    expect(helpers()).toHaveLength(2);
    cli.process.kill('SIGKILL');
    await cli.exitCode;
    await expect.poll(helpers, { timeout: 30_000 }).toEqual([]);
    expect(fs.existsSync(`${store}/images`)).toBe(false);
  });

  test('a disk that cannot be told from another is not guessed', async () => {
    const file = stored.inFolder('odd size.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', file, '12M');
    await using cli = start(stored.store, file);
    expect(await cli.exitCode).toBe(13);
    expect(cli.output()).toContain('Name its place with --disk-slot');
  });
});
