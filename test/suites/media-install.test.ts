import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { mediumStore, stationTicketSchema, ticketFile } from '#contract/station-ticket.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { installMedium, removeInstalled } from '#scripts/media/install-medium.ts';
import { findOwnDiskPartition } from '#scripts/media/own-disk-partition.ts';
import { readMedium } from '#scripts/media/read-medium.ts';
import type { MediumOrder } from '#scripts/media/stage-medium.ts';
import { captureImageOf, captureKey, somePassportDisk } from '#test/support/capture-image-of.ts';
import { attachLoop, attachPartitionedLoop, mountDevice } from '#test/support/loop-device.ts';
import {
  demoDisk,
  MiB,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfFile,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A station's own disk that gets its recovery, on loop devices, with an EFI partition that belongs to somebody else. */

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
const diskBytes = 180 * MiB;
const passportDisk = somePassportDisk(diskBytes);
const station = { name: 'OS-SRV-1A', passport: { ...somePassport(), disks: [passportDisk] } };
const source = (disk: string) => ({ path: disk, sizeBytes: diskBytes });
const esp = { number: 1, startByte: MiB, mib: 64 };
const others = {
  'EFI/debian/grubx64.efi': noise('grub', 300_000),
  'EFI/BOOT/BOOTX64.EFI': noise('boot', 9000),
};
let disk: string;

const order = (more: Partial<MediumOrder> = {}): MediumOrder => ({
  station: station.name,
  passport: station.passport,
  kernel: { version: '6.1.0-1-amd64', file: at('vmlinuz') },
  runtime: at('runtime.img'),
  driverPack: at('pack.img'),
  commandLine: ['rekindle.server=https://10.77.0.1:8443', 'quiet'],
  signingKey: captureKey,
  builtAt: new Date('2026-11-27T09:30:00Z'),
  ...more,
});
const install = async (more: Partial<MediumOrder> = {}, number = esp.number) =>
  installMedium(order(more), await findOwnDiskPartition(source(disk), number, station), captureKey);
const remove = async () =>
  removeInstalled(station.name, await findOwnDiskPartition(source(disk), esp.number, station), captureKey);

/** Every file of the EFI partition, by path. */
function readEsp(): Map<string, string> {
  const content = at('content');
  rmSync(content, { recursive: true, force: true });
  mkdirSync(content);
  run('mcopy', '-s', '-n', '-i', `${disk}@@${esp.startByte}`, '::/', content);
  const files = readdirSync(content, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  return new Map(
    files.map(({ parentPath, name }) => {
      const file = path.join(parentPath, name);
      return [path.relative(content, file), sha256OfFile(file)];
    }),
  );
}

beforeEach(() => {
  disk = at('disk.raw');
  writeFileSync(disk, '');
  truncateSync(disk, diskBytes);
  const partitions = ['--new=1:2048:+64M', '--typecode=1:ef00', '--new=2:0:+8M', '--new=3:0:0'];
  run('sgdisk', ...partitions, disk);
  const efi = `${disk}@@${esp.startByte}`;
  run('mformat', '-i', efi, '-T', String(esp.mib * 2048), '-h', '64', '-s', '32', '-N', '1a2b3c4d', '::');
  run('mmd', '-i', efi, '::/EFI', '::/EFI/debian', '::/EFI/BOOT');
  for (const [name, bytes] of Object.entries(others)) {
    writeFileSync(at('other'), bytes);
    run('mcopy', '-i', efi, at('other'), `::/${name}`);
  }
  const small = `${disk}@@${65 * MiB}`;
  run('mformat', '-i', small, '-T', String(8 * 2048), '-h', '64', '-s', '32', '::');
  for (const [name, mib] of [
    ['vmlinuz', 8],
    ['runtime.img', 20],
    ['pack.img', 1],
  ] as const)
    writeFileSync(at(name), noise(name, mib * MiB));
});
afterAll(() => folder[Symbol.dispose]());

describe('an installed recovery', () => {
  test('is complete, signed for this partition, and beside what was there; --remove leaves the rest', async () => {
    const before = readEsp();
    await install();
    const after = readEsp();
    for (const [name, sha256] of before) expect(after.get(name)).toBe(sha256);
    expect(after.get('boot/vmlinuz')).toBe(sha256OfFile(at('vmlinuz')));
    expect(after.get('boot/runtime.img')).toBe(sha256OfFile(at('runtime.img')));
    expect(after.get('EFI/rekindle/shimx64.efi')).toBe(sha256OfFile('/usr/lib/shim/shimx64.efi.signed'));
    expect(run('fsck.fat', '-n', carve())).toMatch(/files, .* clusters/);
    run('mcopy', '-n', '-i', `${disk}@@${esp.startByte}`, `::/${ticketFile}`, at('ticket.json'));
    const ticket = stationTicketSchema.parse(JSON.parse(readFileSync(at('ticket.json'), 'utf8')));
    expect(ticket).toMatchObject({ station: station.name, onOwnDisk: true, fileSystemUuid: '1A2B-3C4D' });
    expect(new Set(ticket.files.map((file) => file.path))).toEqual(
      new Set([...after.keys()].filter((name) => !before.has(name) && !isTicket(name))),
    );
    expect(await remove()).toBe(true);
    expect(readEsp()).toEqual(before);
    expect(await remove()).toBe(false);
  });

  test('with an image is a store that the runtime believes; a second installation replaces the first', async () => {
    mkdirSync(at('store'));
    const image = makeDemoDisk(folder.path);
    const imageDisk = somePassportDisk(demoDisk.sizeBytes);
    const { name } = await captureImageOf(at('store'), [{ path: image, passportDisk: imageDisk }]);
    await install({ runtime: at('pack.img'), image: { store: at('store'), name, publicKey: captureKey } });
    const ref = formatImageRef(name);
    expect([...readEsp().keys()].filter((file) => file.startsWith(`${mediumStore}/images/`))).not.toEqual([]);
    run('mcopy', '-n', '-i', `${disk}@@${esp.startByte}`, `::/${ticketFile}`, at('ticket.json'));
    expect(JSON.parse(readFileSync(at('ticket.json'), 'utf8')).image.ref).toBe(ref);
    await install();
    expect([...readEsp().keys()].filter((file) => file.startsWith(mediumStore))).toEqual([]);
  });
});

describe('media check of an installed recovery', () => {
  const problems = async (file: string) => {
    const { ticket, damaged, installed, image } = await readMedium(file, captureKey);
    expect(ticket.station).toBe(station.name);
    expect(installed).toBe(true);
    return [...damaged, ...(image?.problems ?? [])];
  };

  test('in a disk file, a partition file, a disk and a partition: whole, with the loaders that start it', async () => {
    await install();
    using loop = attachPartitionedLoop(disk);
    for (const file of [disk, carve(), loop.path, `${loop.path}p1`]) expect(await problems(file)).toEqual([]);
    const { loaders } = await readMedium(disk, captureKey);
    expect(loaders.map(({ name, isFirst }) => [name, isFirst])).toEqual([
      ['EFI/rekindle/shimx64.efi', true],
      ['EFI/rekindle/mmx64.efi', false],
      ['EFI/rekindle/grubx64.efi', false],
    ]);
  });

  test('what is changed, gone, or on a file system that was made anew is named', async () => {
    await install();
    const efi = `${disk}@@${esp.startByte}`;
    run('mcopy', '-o', '-i', efi, at('pack.img'), '::/boot/vmlinuz');
    run('mdel', '-i', efi, '::/EFI/rekindle/grubx64.efi');
    run('mlabel', '-N', '55556666', '-i', efi, '::');
    expect(await problems(disk)).toEqual([
      'boot/vmlinuz',
      'EFI/rekindle/grubx64.efi',
      'the number of its file system (5555-6666 instead of 1A2B-3C4D)',
    ]);
  });

  test('the image in it is read to the last chunk', async () => {
    mkdirSync(at('checked-store'));
    using own = makeTemporaryFolder();
    const image = makeDemoDisk(own.path);
    const imageDisk = somePassportDisk(demoDisk.sizeBytes);
    const { name } = await captureImageOf(at('checked-store'), [{ path: image, passportDisk: imageDisk }]);
    await install({
      runtime: at('pack.img'),
      image: { store: at('checked-store'), name, publicKey: captureKey },
    });
    expect(await problems(disk)).toEqual([]);
    const chunk = [...readEsp().keys()].find((file) => file.endsWith('.cacnk')) ?? '';
    run('mdel', '-i', `${disk}@@${esp.startByte}`, `::/${chunk}`);
    expect((await problems(disk)).join(' ')).toContain(path.basename(chunk, '.cacnk'));
  });

  test('no ticket, one of another site, and two of them are refused', async () => {
    await expect(readMedium(disk, captureKey)).rejects.toThrow(/no recovery medium|reading .*disk\.raw/);
    await install();
    await expect(readMedium(disk, generateKeyPair())).rejects.toThrow(/station ticket/);
    run('dd', `if=${carve()}`, `of=${disk}`, 'bs=1M', 'seek=65', 'count=64', 'conv=notrunc', 'status=none');
    run('sgdisk', '--delete=3', '--delete=2', '--new=5:133120:+64M', disk);
    await expect(readMedium(disk, captureKey)).rejects.toThrow(/one in each of the partitions 1, 5/);
  });
});

describe('refused, and nothing changed', () => {
  const refused = async (work: () => Promise<unknown>, why: RegExp) => {
    const before = sha256OfFile(disk);
    const error = await work().then(
      () => expect.unreachable(),
      (thrown: Error & { code?: string }) => thrown,
    );
    expect(`${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`).toMatch(why);
    expect(error.code).toBe('target-unfit');
    expect(sha256OfFile(disk)).toBe(before);
  };

  test('without room', () => refused(() => install({}, 2), /needs \d+ MiB, and \d MiB are free/));
  test('without room for the next one: the recovery that is there stays', async () => {
    await install();
    writeFileSync(at('large.img'), noise('large.img', 60 * MiB));
    await refused(() => install({ runtime: at('large.img') }), /needs \d+ MiB/);
  });
  test('without a FAT file system', () => refused(() => install({}, 3), /no FAT file system/));
  test('without such a partition', () => refused(() => install({}, 7), /no such partition/));

  test('on a disk of another station', () => {
    const other = {
      ...station,
      passport: { ...station.passport, disks: [somePassportDisk(diskBytes + MiB)] },
    };
    return refused(() => findOwnDiskPartition(source(disk), 1, other), /the size of no disk of the passport/);
  });

  test('on a write-protected disk', async () => {
    using loop = attachLoop(disk, { readOnly: true });
    await refused(() => findOwnDiskPartition(source(loop.path), 1, station), /write-protected/);
  });

  test('on a disk in use', async () => {
    using loop = attachPartitionedLoop(disk);
    run('mkfs.ext4', '-q', `${loop.path}p3`);
    mkdirSync(at('mnt'), { recursive: true });
    using _mounted = mountDevice(`${loop.path}p3`, at('mnt'), '-o', 'ro');
    await refused(() => findOwnDiskPartition(source(loop.path), 1, station), /is mounted at/);
  });

  test('where the recovery of another station is, or one of another site', async () => {
    await install();
    const target = await findOwnDiskPartition(source(disk), esp.number, station);
    const other = { ...order(), station: stationNameSchema.parse('OS-SRV-1B') };
    await refused(() => installMedium(other, target, captureKey), /that of OS-SRV-1A/);
    await refused(() => installMedium(order(), target, generateKeyPair()), /Looking at the recovery/);
  });

  test('where a file of that name belongs to somebody else', async () => {
    writeFileSync(at('theirs'), 'kernel of somebody else');
    run('mmd', '-i', `${disk}@@${esp.startByte}`, '::/BOOT');
    run('mcopy', '-i', `${disk}@@${esp.startByte}`, at('theirs'), '::/BOOT/VMLINUZ');
    await refused(() => install(), /boot\/vmlinuz: there already/);
  });
});

const isTicket = (name: string): boolean => name.startsWith(ticketFile) || name === 'boot/ticket.img';

/** The EFI partition alone, for tools that take no offset. */
function carve(): string {
  const file = at('esp.fat');
  if (existsSync(file)) truncateSync(file, 0);
  run('dd', `if=${disk}`, `of=${file}`, 'bs=1M', 'skip=1', `count=${esp.mib}`, 'status=none');
  return file;
}
