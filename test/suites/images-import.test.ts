import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { importImage } from '#images/convert/import-image.ts';
import { type ImportFormat, inspectVirtualDisk } from '#images/convert/inspect-virtual-disk.ts';
import { diskIndexName, formatImageName } from '#images/format/image-name.ts';
import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import { imageFolder } from '#images/stores/image-folder.ts';
import { captureKey, captureStation, somePassportDisk } from '#test/support/capture-image-of.ts';
import { makeCliSite, startCli } from '#test/support/cli-site.ts';
import { type StoredDisk, storeDisk } from '#test/support/image-in-store.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import {
  demoDisk,
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  noise,
  readAt,
  run,
  sha256OfFile,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

let stored: StoredDisk;
let station: string;
beforeAll(async () => {
  stored = await storeDisk(makeDemoDisk);
  station = stored.inFolder('station.img');
  // What an import makes for itself lies here, and can be told from that of other tests.
  process.env['TMPDIR'] = stored.folder;
});
afterAll(() => stored[Symbol.dispose]());

const convert = (format: string, options: string[], name: string): string => {
  const file = stored.inFolder(name);
  run('qemu-img', 'convert', '-f', 'raw', '-O', format, ...options, station, file);
  return file;
};

async function importFile(
  file: string,
  disks: readonly PassportDisk[] = [somePassportDisk(demoDisk.sizeBytes)],
  more: {
    format?: ImportFormat;
    slots?: string[];
    store?: string;
    acceptSize?: boolean;
    onProgress?: () => void;
  } = {},
) {
  const source = await inspectVirtualDisk(file, more.format);
  return importImage({
    sources: [source],
    slots: more.slots ?? [],
    ...(more.onProgress === undefined ? {} : { onProgress: more.onProgress }),
    acceptSize: more.acceptSize ?? false,
    store: more.store ?? stored.store,
    station: captureStation,
    signingKey: captureKey,
    computerName: 'OS-SRV-1A',
    stationRole: 'server',
    consistency: 'crash',
    passport: { ...somePassport(), disks: [...disks] },
  });
}

/** What an import needs while it runs. */
const helpers = (): string[] =>
  run('ps', '-eo', 'args')
    .split('\n')
    .filter(
      (line) => /^(qemu-nbd|nbdfuse|vhdimount) /.test(line) && line.includes(`${stored.folder}/rekindle-`),
    );
afterEach(async () => {
  await expect.poll(helpers, { timeout: 30_000 }).toEqual([]);
  expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${stored.folder}/rekindle-`);
});

/** Writes over the value of a VHDX metadata item. @param skip bytes of it that stay */
function setVhdxItem(file: string, guid: string, skip: number, value: number): void {
  const bytes = fs.readFileSync(file);
  const metadata = bytes.indexOf(Buffer.from('metadata'));
  const entry = bytes.indexOf(Buffer.from(guid, 'hex'), metadata);
  writeAt(file, Uint8Array.of(value & 0xff, value >> 8), metadata + bytes.readUInt32LE(entry + 16) + skip);
}

/** Bit by bit, from the polynomial as RFC 3720 has it: not the table of the code that is tested. */
function bitwiseCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc ^ (byte >> bit)) & 1;
      crc = (crc >>> 1) ^ (carry === 1 ? 0x82f63b78 : 0);
    }
  return ~crc >>> 0;
}

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
    const image = await importFile(file, undefined, { store });
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
    setVhdxItem(file, '1dbf41816fa90947ba47f233a8faab5f', 0, 4096);
    const store = stored.inFolder('4kn-store');
    fs.mkdirSync(store);
    await expect(importFile(file, [somePassportDisk(24 * MiB)], { store })).rejects.toThrow(
      'its sectors have 4096 bytes, those of that disk 512',
    );
    const passportDisk = somePassportDisk(24 * MiB, { logicalSectorBytes: 4096 });
    const image = await importFile(file, [passportDisk], { store });
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
    await expect(importFile(file)).rejects.toMatchObject({
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
    await expect(importFile(file, undefined, { store, onProgress })).rejects.toMatchObject({
      code: 'target-unfit',
      message: expect.stringContaining(`it was ${how} while it was read`),
    });
    expect(fs.existsSync(`${store}/images`)).toBe(false);
  });

  test('a file of another size is refused, or taken and told', async () => {
    const file = convert('qcow2', [], 'smaller.qcow2');
    fs.mkdirSync(stored.inFolder('smaller'));
    const larger = somePassportDisk(demoDisk.sizeBytes + MiB);
    await expect(importFile(file, [larger])).rejects.toMatchObject({
      code: 'target-unfit',
      next: expect.stringContaining('--accept-size'),
    });
    const image = await importFile(file, [larger], {
      acceptSize: true,
      store: stored.inFolder('smaller'),
    });
    expect(image.warnings).toEqual([
      expect.stringContaining(`has ${demoDisk.sizeBytes} bytes (96 MiB), the disk at 0000:00:1f.2/ata1`),
    ]);
    expect(image.manifest.disks[0]?.sizeBytes).toBe(demoDisk.sizeBytes);
  });
});

describe('what would not give a whole disk is refused, with the reason', () => {
  const qcow2 = (name: string, ...args: string[]): string => {
    const file = stored.inFolder(name);
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...args, file, '8M');
    return file;
  };
  const vhdxWith = (name: string, guid: string, skip: number, value: number): string => {
    const file = stored.inFolder(name);
    run('qemu-img', 'create', '-q', '-f', 'vhdx', file, '8M');
    setVhdxItem(file, guid, skip, value);
    return file;
  };
  const vhd = (name: string, kind: number): string => {
    const file = stored.inFolder(name);
    run('qemu-img', 'create', '-q', '-f', 'vpc', file, '8M');
    const size = fs.statSync(file).size;
    for (const footer of [0, size - 512]) writeAt(file, Uint8Array.of(0, 0, 0, kind), footer + 60);
    return file;
  };
  const refused = (file: string, reason: string, format?: ImportFormat) =>
    expect(inspectVirtualDisk(file, format)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(reason),
      next: expect.stringMatching(/\.$/),
    });

  test('differencing disks and chains', async () => {
    const base = qcow2('base.qcow2');
    await refused(qcow2('child.qcow2', '-b', base, '-F', 'qcow2'), 'only what changed since');
    await refused(vhd('child.avhd', 4), 'differencing disk');
    await refused(vhdxWith('child.avhdx', '3767a1ca36fa434db3b633f0aa44e76b', 4, 2), 'differencing disk');
    expect(await inspectVirtualDisk(vhd('whole.vhd', 3))).toMatchObject({ format: 'vhd' });
  });

  test('a VHDX that QEMU does not read is looked at all the same', async () => {
    const sectorSize = '1dbf41816fa90947ba47f233a8faab5f';
    await refused(vhdxWith('1k.vhdx', sectorSize, 0, 1024), 'its sectors have 1024 bytes');
    const file = vhdxWith('4k.vhdx', sectorSize, 0, 4096);
    expect(await inspectVirtualDisk(file)).toMatchObject({ sizeBytes: 8 * MiB, sectorBytes: 4096 });
  });

  test('of the two headers of a VHDX, the whole one that was written last counts', async () => {
    const file = vhdxWith('headers.vhdx', '1dbf41816fa90947ba47f233a8faab5f', 0, 4096);
    const [older = 0, newer = 0] = [64 << 10, 128 << 10]
      .map((at) => ({ at, number: readAt(file, at + 8, 8).readBigUInt64LE(0) }))
      .sort((a, b) => (a.number < b.number ? -1 : 1))
      .map(({ at }) => at);
    const read = () => inspectVirtualDisk(file);
    const whole = readAt(file, newer, 4 << 10);
    // The log's GUID is at byte 48.
    const withLog = (header: number): void => {
      const bytes = readAt(file, header, 4 << 10).fill(0, 4, 8);
      bytes[48] = 1;
      bytes.writeUInt32LE(bitwiseCrc32c(bytes), 4);
      writeAt(file, bytes, header);
    };
    withLog(older);
    expect(await read()).toMatchObject({ format: 'vhdx' });
    // A power cut in the middle of it: the first sector is new, the rest is not.
    writeAt(file, Uint8Array.of(7), newer + 8);
    await refused(file, 'its log is still to be replayed');
    writeAt(file, whole, newer);
    withLog(newer);
    await refused(file, 'its log is still to be replayed');
    for (const header of [older, newer]) writeAt(file, Uint8Array.of(7), header + 512);
    await refused(file, 'neither of its two headers is whole');
  });

  test('of the two region tables of a VHDX, a whole one counts', async () => {
    const file = vhdxWith('regions.vhdx', '1dbf41816fa90947ba47f233a8faab5f', 0, 4096);
    // Where the first region lies.
    const tear = (table: number): void => writeAt(file, Uint8Array.of(0xff), table + 16 + 17);
    tear(192 << 10);
    expect(await inspectVirtualDisk(file)).toMatchObject({ sizeBytes: 8 * MiB, sectorBytes: 4096 });
    tear(256 << 10);
    await refused(file, 'neither of its two region tables is whole');
  });

  test('data elsewhere, and encryption', async () => {
    const data = stored.inFolder('data.raw');
    await refused(qcow2('outside.qcow2', '-o', `data_file=${data}`), 'in another file');
    await refused(
      qcow2(
        'secret.qcow2',
        ...['--object', 'secret,id=s,data=secret'],
        ...['-o', 'encrypt.format=aes,encrypt.key-secret=s'],
      ),
      'encrypted',
    );
  });

  test('a name that says another format than the content', async () => {
    const file = qcow2('really.raw');
    await refused(file, 'it should be raw, and its content is qcow2');
    expect(await inspectVirtualDisk(file, 'qcow2')).toMatchObject({ format: 'qcow2' });
    const vmdk = stored.inFolder('disk.vmdk');
    run('qemu-img', 'create', '-q', '-f', 'vmdk', vmdk, '8M');
    await refused(vmdk, 'its format is vmdk');
  });

  test('damaged and cut off files', async () => {
    const good = convert('qcow2', [], 'good.qcow2');
    const bytes = fs.readFileSync(good);
    const damaged = stored.inFolder('damaged.qcow2');
    fs.writeFileSync(damaged, bytes);
    // Two clusters that both tables of the format call the same one.
    const l1 = Number(bytes.readBigUInt64BE(40));
    const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
    writeAt(damaged, bytes.subarray(l2, l2 + 8), l2 + 16);
    await refused(damaged, 'qemu-img finds it damaged');
    const vhdx = convert('vhdx', [], 'cut.vhdx');
    fs.truncateSync(vhdx, 200 << 10);
    await refused(vhdx, 'the region table lies behind its end');
    fs.truncateSync(vhdx, 3 * MiB);
    await refused(vhdx, 'the metadata lies behind its end');
    await refused(stored.inFolder('absent.vhdx'), 'it does not exist');
    await refused(stored.folder, 'it is no file');
  });

  test('a disk that a running machine writes to', async () => {
    const file = qcow2('running.qcow2');
    const socket = stored.inFolder('running.sock');
    const machine = spawn('qemu-nbd', ['--format=qcow2', `--socket=${socket}`, '--persistent', file]);
    try {
      await expect.poll(() => fs.existsSync(socket), { timeout: 5000 }).toBe(true);
      await expect(inspectVirtualDisk(file)).rejects.toMatchObject({
        next: 'It is in use: shut the virtual machine down, or import a copy.',
      });
    } finally {
      machine.kill();
      await once(machine, 'close');
    }
  });

  test('a partition table for other sectors than the disk has', async () => {
    const file = makeBlankDisk(stored.inFolder('4kn.img'), 16 * MiB);
    {
      using loop = attachLoop(file, { sectorBytes: 4096 });
      run('sgdisk', '--new=1:256:2000', loop.path);
    }
    await expect(importFile(file, [somePassportDisk(16 * MiB)])).rejects.toMatchObject({
      code: 'target-unfit',
      message: expect.stringContaining('for sectors of 4096 bytes'),
    });
    const disk = somePassportDisk(16 * MiB, { logicalSectorBytes: 4096 });
    fs.mkdirSync(stored.inFolder('4kn'));
    const image = await importFile(file, [disk], { store: stored.inFolder('4kn') });
    expect(image.manifest.disks[0]).toMatchObject({
      logicalSectorBytes: 4096,
      volumes: [{ startByte: 256 * 4096, sizeBytes: 1745 * 4096 }],
    });
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
