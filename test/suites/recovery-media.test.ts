import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runReportSchema } from '#contract/run-report.ts';
import { mediumReports, mediumStore } from '#contract/station-ticket.ts';
import { parseDiskIndex } from '#images/format/disk-index.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import type { Machine } from '#runtime/workflow-machine.ts';
import { buildMedium } from '#scripts/media/build-medium.ts';
import { readMedium } from '#scripts/media/read-medium.ts';
import { extractUsbImage, findDataPartition } from '#scripts/media/write-usb-image.ts';
import { captureImageOf, captureKey, somePassportDisk } from '#test/support/capture-image-of.ts';
import { fileMachine, sitDown } from '#test/support/file-machine.ts';
import {
  demoDisk,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  sha256OfFile,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Media with a real image on them, judged by Debian's tools, and the whole program started from one. */

const station = 'OS-SRV-1A';
const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
const passportDisk = somePassportDisk(demoDisk.sizeBytes);
const passport: HardwarePassport = { ...somePassport(), disks: [passportDisk] };
let image: ImageName;
let reference: string;
/** Content of the USB image's data partition. */
let content: string;

async function build(output: string, more: object = {}): Promise<void> {
  await buildMedium({
    station,
    passport,
    kernel: { version: '6.1.0-1-amd64', file: at('vmlinuz') },
    runtime: at('runtime.img'),
    driverPack: at('pack.img'),
    commandLine: ['rekindle.server=https://10.77.0.1:8443', 'quiet'],
    signingKey: captureKey,
    output,
    builtAt: new Date('2026-11-27T09:30:00Z'),
    ...more,
  });
}

beforeAll(async () => {
  for (const name of ['vmlinuz', 'runtime.img', 'pack.img']) writeFileSync(at(name), `content of ${name}\n`);
  mkdirSync(at('store'));
  const disk = makeDemoDisk(folder.path);
  ({ name: image } = await captureImageOf(at('store'), [{ path: disk, passportDisk }], { passport }));
  const withImage = { image: { store: at('store'), name: image, publicKey: captureKey } };
  await build(at('medium.img'), withImage);
  await build(at('medium.iso'), withImage);
  content = at('content');
  mkdirSync(content);
  await extractUsbImage(at('medium.img'), findDataPartition(at('medium.img')) ?? 0, content);
  reference = at('reference');
  const index = path.join(
    at('store'),
    'images',
    station,
    `${station}_${image.utc}`,
    `${station}_disk0.caibx`,
  );
  casync(at('store'), index, reference);
});
afterAll(() => folder[Symbol.dispose]());

function casync(store: string, index: string, output: string): void {
  execFileSync('casync', ['extract', `--store=${path.join(store, 'chunks.castr')}`, index, output]);
}

test('sgdisk, fsck.fat and casync find nothing wrong with the USB image', () => {
  expect(execFileSync('sgdisk', ['--verify', at('medium.img')], { encoding: 'utf8' })).toMatch(
    /No problems found/,
  );
  const start = findDataPartition(at('medium.img')) ?? 0;
  const size = statSync(at('medium.img')).size - start - 1024 * 1024;
  execFileSync('dd', [
    ...[`if=${at('medium.img')}`, `of=${at('data.fat')}`, 'bs=1M', 'conv=sparse', 'status=none'],
    ...[`skip=${start / 1024 / 1024}`, `count=${size / 1024 / 1024}`],
  ]);
  expect(execFileSync('fsck.fat', ['-n', at('data.fat')], { encoding: 'utf8' })).toMatch(
    /files, .* clusters/,
  );
  expect(execFileSync('file', [at('data.fat')], { encoding: 'utf8' })).toMatch(/FAT \(32 bit\)/);
  const store = path.join(content, mediumStore);
  const index = path.join(store, 'images', station, `${station}_${image.utc}`, `${station}_disk0.caibx`);
  casync(store, index, at('from-medium'));
  expect(sha256OfFile(at('from-medium'))).toBe(sha256OfFile(reference));
});

test.each(['medium.img', 'medium.iso'])('%s: ticket, files and image are read back', async (name) => {
  const { ticket, damaged } = await readMedium(at(name), captureKey);
  expect(damaged).toEqual([]);
  expect(ticket.image?.ref).toBe(formatImageRef(image));
  expect(ticket.files.map(({ path: file }) => file)).toContain('boot/grub/grub.cfg');
});

test('the menu offers the image on the medium first, and the disk by itself', () => {
  const menu = readFileSync(path.join(content, 'boot/grub/grub.cfg'), 'utf8');
  const entries = [...menu.matchAll(/menuentry "([^"]+)" --id (\w+) --hotkey=(\w)/g)].map(
    ([, title, id, key]) => [id, key, title],
  );
  expect(entries).toEqual([
    ['medium', 'm', `Recovery of ${station} without a network, image ${formatImageRef(image)}`],
    ['recovery', 'r', `Recovery of ${station} from the recovery service`],
    ['local', 'l', `Start ${station} from its own disk`],
  ]);
  expect(menu).toContain('set default=local');
});

/** The program on a machine that booted from the medium whose content this is; a CD cannot be written. */
function machineAt(medium: string, disk: string, { writable = true } = {}): Machine {
  const bytes = readFileSync(path.join(medium, 'rekindle/ticket.json'));
  const signature = readFileSync(path.join(medium, 'rekindle/ticket.json.minisig'), 'utf8');
  const site = { ca: '', imageSigner: formatPublicKey(captureKey) };
  return {
    ...fileMachine({ site, passport, disks: [{ passportDisk, devicePath: disk }] }),
    readTicket: async () => ({ bytes, signature }),
    openMedium: async () => ({
      device: '/dev/stick',
      folder: medium,
      ...(writable ? { write: (work: () => Promise<void>) => work() } : {}),
      async [Symbol.asyncDispose]() {},
    }),
    bringUpBootCard: () => Promise.reject(new Error('there is no network')),
  };
}
const start = (machine: Machine) =>
  sitDown(machine, { server: 'https://10.77.0.1:8443', purpose: 'recovery', imageFrom: 'medium' });

async function confirm({ port }: ReturnType<typeof start>): Promise<void> {
  await port.waitFor('Your name, for the report: ');
  port.type('Meier\r');
  await port.waitFor(`Type ${station} to start the restore: `);
  port.type(`${station}\r`);
}

test('without a network: restored from the medium, and the report is kept there', async () => {
  const disk = makeBlankDisk(at('blank'));
  const sitting = start(machineAt(content, disk));
  await confirm(sitting);
  expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
  expect(sha256OfFile(disk)).toBe(sha256OfFile(reference));
  const reports = path.join(content, mediumReports);
  const [name = ''] = readdirSync(reports);
  const report = runReportSchema.parse(JSON.parse(readFileSync(path.join(reports, name), 'utf8')));
  expect(report).toMatchObject({
    station,
    image: formatImageRef(image),
    startedBy: { technician: 'Meier' },
    machine: { outcome: 'restored' },
  });
  expect(report.machine.unverified.join(' ')).toMatch(/That it was Meier: .* not signed/);
});

test('from a CD the report stays on the screen until somebody has noted it', async () => {
  const disk = makeBlankDisk(at('blank-cd'));
  const sitting = start(machineAt(content, disk, { writable: false }));
  await confirm(sitting);
  await sitting.port.waitFor(`Report: ${station}, ${formatImageRef(image)}`);
  await sitting.port.waitFor('Press Enter when you have noted it: ');
  sitting.port.type('\r');
  expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
});

test.each([
  [
    'a chunk that was changed',
    14,
    (medium: string) => {
      const store = path.join(medium, mediumStore);
      const index = path.join(store, 'images', station, `${station}_${image.utc}`, `${station}_disk0.caibx`);
      const { ids } = parseDiskIndex(readFileSync(index), index);
      const files = Array.from({ length: ids.length / 32 }, (_, at) => {
        const id = Buffer.from(ids.subarray(at * 32, at * 32 + 32)).toString('hex');
        return path.join(store, 'chunks.castr', id.slice(0, 4), `${id}.cacnk`);
      }).filter((file) => existsSync(file));
      // Neither the first nor the last one, which are looked at before anybody is asked.
      const middle = files.find((file) => file !== files.at(0) && file !== files.at(-1)) ?? '';
      writeFileSync(middle, 'no chunk');
    },
  ],
  [
    'a manifest that is not the one of the ticket',
    14,
    (medium: string) => {
      const manifest = path.join(
        medium,
        mediumStore,
        'images',
        station,
        `${station}_${image.utc}`,
        'manifest.json',
      );
      writeFileSync(manifest, `${readFileSync(manifest, 'utf8')} `);
    },
  ],
  [
    'a medium without an image',
    11,
    (medium: string) => {
      const plain = at('plain-content');
      if (!existsSync(plain)) throw new Error('it was to be made before');
      for (const file of ['ticket.json', 'ticket.json.minisig'])
        cpSync(path.join(plain, 'rekindle', file), path.join(medium, 'rekindle', file));
      cpSync(path.join(plain, 'boot'), path.join(medium, 'boot'), { recursive: true });
    },
  ],
])('%s: nothing is written', async (what, exitCode, damage) => {
  if (exitCode === 11) {
    await build(at('plain.img'));
    mkdirSync(at('plain-content'));
    await extractUsbImage(at('plain.img'), findDataPartition(at('plain.img')) ?? 0, at('plain-content'));
  }
  const medium = at(`medium ${what}`);
  cpSync(content, medium, { recursive: true });
  damage(medium);
  const disk = makeBlankDisk(at(`blank ${what}`));
  const before = sha256OfFile(disk);
  const sitting = start(machineAt(medium, disk));
  if (what.includes('chunk')) await confirm(sitting);
  await sitting.port.waitFor('Choose 1 to 4: ');
  sitting.port.type('4\r');
  expect(await sitting.result).toEqual({ end: 'power-off', exitCode });
  if (!what.includes('chunk')) expect(sha256OfFile(disk)).toBe(before);
});

test('a name that says neither CD nor stick is refused before any work', async () => {
  await expect(build(at('medium.bin'))).rejects.toThrow(/what .*medium\.bin is to be is not clear/);
});

test('the image of a domain controller that may have partners is not put on a medium', async () => {
  const store = at('controller-store');
  mkdirSync(store);
  const options = { passport, stationRole: 'domain-controller' as const };
  const { name } = await captureImageOf(store, [{ path: at('reference'), passportDisk }], options);
  const withImage = { image: { store, name, publicKey: captureKey } };
  await expect(build(at('controller.img'), withImage)).rejects.toMatchObject({ code: 'failed-hooks' });
  expect(existsSync(at('controller.img'))).toBe(false);
});
