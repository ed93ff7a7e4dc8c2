import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type ImportFormat, inspectVirtualDisk } from '#images/convert/inspect-virtual-disk.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';
import { importFile, setVhdxItem, type vhdxItem, watchImports } from '#test/support/import-files.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  readAt,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

/** What would not give a whole disk is refused, with the reason, and nothing is read of it. */

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
process.env['TMPDIR'] = folder.path;
afterAll(() => folder[Symbol.dispose]());
watchImports(() => folder.path);

const convert = (format: string, name: string): string => {
  const raw = at('content.img');
  if (!fs.existsSync(raw)) writeAt(makeBlankDisk(raw, 16 * MiB), noise('content', 4 * MiB), 0);
  run('qemu-img', 'convert', '-f', 'raw', '-O', format, raw, at(name));
  return at(name);
};
const qcow2 = (name: string, ...args: string[]): string => {
  const file = at(name);
  run('qemu-img', 'create', '-q', '-f', 'qcow2', ...args, file, '8M');
  return file;
};
const vhdxWith = (name: string, item: keyof typeof vhdxItem, skip: number, value: number): string => {
  const file = at(name);
  run('qemu-img', 'create', '-q', '-f', 'vhdx', file, '8M');
  setVhdxItem(file, item, skip, value);
  return file;
};
const vhd = (name: string, kind: number): string => {
  const file = at(name);
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

test('differencing disks and chains', async () => {
  const base = qcow2('base.qcow2');
  await refused(qcow2('child.qcow2', '-b', base, '-F', 'qcow2'), 'only what changed since');
  await refused(vhd('child.avhd', 4), 'differencing disk');
  await refused(vhdxWith('child.avhdx', 'fileParameters', 4, 2), 'differencing disk');
  expect(await inspectVirtualDisk(vhd('whole.vhd', 3))).toMatchObject({ format: 'vhd' });
});

test('data elsewhere, and encryption', async () => {
  const data = at('data.raw');
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
  const vmdk = at('disk.vmdk');
  run('qemu-img', 'create', '-q', '-f', 'vmdk', vmdk, '8M');
  await refused(vmdk, 'its format is vmdk');
});

test('damaged and cut off files', async () => {
  const good = convert('qcow2', 'good.qcow2');
  const bytes = fs.readFileSync(good);
  const damaged = at('damaged.qcow2');
  fs.writeFileSync(damaged, bytes);
  // Two clusters that both tables of the format call the same one.
  const l1 = Number(bytes.readBigUInt64BE(40));
  const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  writeAt(damaged, bytes.subarray(l2, l2 + 8), l2 + 16);
  await refused(damaged, 'qemu-img finds it damaged');
  const vhdx = convert('vhdx', 'cut.vhdx');
  fs.truncateSync(vhdx, 200 << 10);
  await refused(vhdx, 'the region table lies behind its end');
  fs.truncateSync(vhdx, 3 * MiB);
  await refused(vhdx, 'the metadata lies behind its end');
  await refused(at('absent.vhdx'), 'it does not exist');
  await refused(folder.path, 'it is no file');
});

test('a disk that a running machine writes to', async () => {
  const file = qcow2('running.qcow2');
  const socket = at('running.sock');
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
  const file = makeBlankDisk(at('4kn.img'), 16 * MiB);
  {
    using loop = attachLoop(file, { sectorBytes: 4096 });
    run('sgdisk', '--new=1:256:2000', loop.path);
  }
  await expect(
    importFile(file, { store: at('none'), disks: [somePassportDisk(16 * MiB)] }),
  ).rejects.toMatchObject({
    code: 'target-unfit',
    message: expect.stringContaining('for sectors of 4096 bytes'),
  });
  const disk = somePassportDisk(16 * MiB, { logicalSectorBytes: 4096 });
  fs.mkdirSync(at('4kn'));
  const image = await importFile(file, { store: at('4kn'), disks: [disk] });
  expect(image.manifest.disks[0]).toMatchObject({
    logicalSectorBytes: 4096,
    volumes: [{ startByte: 256 * 4096, sizeBytes: 1745 * 4096 }],
  });
});

test('a VHDX that QEMU does not read is looked at all the same', async () => {
  const sectorSize = 'logicalSectorSize';
  await refused(vhdxWith('1k.vhdx', sectorSize, 0, 1024), 'its sectors have 1024 bytes');
  const file = vhdxWith('4k.vhdx', sectorSize, 0, 4096);
  expect(await inspectVirtualDisk(file)).toMatchObject({ sizeBytes: 8 * MiB, sectorBytes: 4096 });
});

test('of the two headers of a VHDX, the whole one that was written last counts', async () => {
  const file = vhdxWith('headers.vhdx', 'logicalSectorSize', 0, 4096);
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
  const file = vhdxWith('regions.vhdx', 'logicalSectorSize', 0, 4096);
  // Where the first region lies.
  const tear = (table: number): void => writeAt(file, Uint8Array.of(0xff), table + 16 + 17);
  tear(192 << 10);
  expect(await inspectVirtualDisk(file)).toMatchObject({ sizeBytes: 8 * MiB, sectorBytes: 4096 });
  tear(256 << 10);
  await refused(file, 'neither of its two region tables is whole');
});
