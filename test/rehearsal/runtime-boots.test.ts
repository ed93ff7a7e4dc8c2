import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildDriverPack, buildUniversalPack } from '#driver-packs/build-driver-pack.ts';
import { compareDisks } from '#images/passport/compare-disks.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import type { MachineFirmware, MachineHardware } from '#scripts/rehearsal/machine-hardware.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';
import { type BuiltRuntime, buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** The real runtime image with a small program in it (test/support/runtime-probe.ts), on real firmware. */

const cacheDirectory = '.rekindle/cache';
let directory: string;
let runtime: BuiltRuntime;
let siteRuntime: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runtime-boots-'));
  runtime = await buildRuntime({
    cacheDirectory,
    fast: true,
    entry: 'test/support/runtime-probe.ts',
    workers: {},
  });
  const site = { caPem: 'CA of the test', imageSignerPublicKey: 'key of the test' };
  const written = await writeSiteRuntime({
    base: runtime.initrd.path,
    site,
    output: join(directory, 'runtime.initrd'),
  });
  siteRuntime = written.path;
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A machine that boots the runtime, and the pack behind it as boot loaders join them. */
async function boot(options: {
  readonly name: string;
  readonly hardware: MachineHardware;
  readonly pack?: string;
  readonly firmware?: MachineFirmware;
  readonly parameters?: string;
}): Promise<EmulatedMachine> {
  const pieces = [await readFile(siteRuntime)];
  if (options.pack !== undefined) pieces.push(await readFile(options.pack));
  const initrd = join(directory, `${options.name}.initrd`);
  await writeFile(initrd, Buffer.concat(pieces));
  return await startMachine({
    name: options.name,
    hardware: options.hardware,
    firmware: options.firmware ?? { kind: 'bios' },
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    directKernel: {
      kernel: runtime.vmlinuz,
      initrd,
      commandLine: `console=ttyS0,115200 quiet ${options.parameters ?? ''}`.trim(),
    },
  });
}

async function blankDisk(name: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, '');
  await truncate(file, 64 * 2 ** 20);
  return file;
}

/** What the probe said about something; its JSON may be long, the marker ends the line. */
async function said(machine: EmulatedMachine, what: string) {
  const match = await machine.console.waitFor(new RegExp(`probe ${what} (.*)\\n`), { timeoutSeconds: 120 });
  return JSON.parse(match[1] ?? 'null');
}

async function firstLineSeconds(machine: EmulatedMachine): Promise<string> {
  await said(machine, 'started');
  return ((performance.now() - machine.poweredOnAt) / 1000).toFixed(1);
}

test('BIOS: the station pack drives network and disk, and the passport says what is plugged in', async () => {
  const hardware = demoStationHardware({ disk: await blankDisk('bios.raw') });
  const passport: HardwarePassport = {
    ...somePassport(),
    networkCards: [
      { slot: '0000:00:03.0', id: '1af4:1000', subsystem: '1af4:0001', mac: '52:54:00:77:00:01' },
    ],
    modaliases: [],
  };
  const pack = await buildDriverPack({
    passport,
    station: 'TEST-1',
    kernel: runtime.kernel,
    output: join(directory, 'station.pack'),
  });
  await using machine = await boot({ name: 'bios', hardware, pack: pack.file.path });
  const seconds = await firstLineSeconds(machine);
  const drivers = await said(machine, 'drivers');
  expect(drivers).toMatchObject({ kind: 'loaded', station: 'TEST-1', withoutDriver: [] });
  const refused = drivers.modules.filter(({ outcome }: { outcome: string }) => outcome === 'refused');
  expect(refused).toEqual([]);

  const { passport: taken, disks } = await said(machine, 'inventory');
  expect(hardwarePassportSchema.parse(taken)).toMatchObject({
    system: {
      uuid: hardware.smbios.uuid,
      vendor: 'Rekindle Lab',
      product: 'Demo Station',
      serial: 'LAB-0001',
    },
    board: { vendor: 'Rekindle Lab', product: 'Demo Board', serial: 'LAB-B-0001' },
    cpu: { threads: 2 },
    memoryBytes: 1024 * 2 ** 20,
    firmware: { kind: 'bios', secureBoot: 'not-supported' },
    networkCards: passport.networkCards,
    storageControllers: [
      { slot: '0000:00:1f.2', id: '8086:2922', subsystem: '1af4:1100', pciClass: '010601', mode: 'ahci' },
    ],
    disks: [
      {
        slot: '0000:00:1f.2/ata1',
        model: 'REKINDLE LAB DISK',
        serial: 'LAB-D-0001',
        wwn: 'naa.3000000000770001',
        sizeBytes: 64 * 2 ** 20,
        logicalSectorBytes: 512,
        removable: false,
      },
    ],
  });
  expect(disks[0].devicePath).toBe('/dev/sda');
  expect(await said(machine, 'modules')).toEqual(expect.arrayContaining(['vfat', 'ahci', 'virtio_net']));
  expect(await said(machine, 'site')).toBe('CA of the test');
  expect(await machine.waitForEnd({ timeoutSeconds: 30 })).toMatchObject({ status: 0 });
  process.stdout.write(`BIOS: power-on to the first line ${seconds} s, ${machine.accelerator}\n`);
});

test('UEFI without a pack: nothing is driven, and the console names the PCI ids', async () => {
  const hardware = demoStationHardware({ disk: await blankDisk('uefi.raw') });
  const firmware = await openUefiFirmware(join(directory, 'vars.fd'));
  await using machine = await boot({ name: 'uefi', hardware, firmware });
  const seconds = await firstLineSeconds(machine);
  expect(await said(machine, 'drivers')).toEqual({
    kind: 'no-pack',
    withoutDriver: [
      { slot: '0000:00:03.0', id: '1af4:1000', className: 'Ethernet controller' },
      { slot: '0000:00:1f.2', id: '8086:2922', className: 'SATA controller (AHCI)' },
    ],
  });
  const { passport } = await said(machine, 'inventory');
  expect(passport).toMatchObject({
    firmware: { kind: 'uefi', secureBoot: 'disabled' },
    networkCards: [],
    disks: [],
  });
  await machine.waitForEnd({ timeoutSeconds: 60 });
  expect(machine.console.text()).toContain('There is no driver pack in this boot');
  expect(machine.console.text()).toContain('0000:00:1f.2  8086:2922  SATA controller (AHCI)');
  process.stdout.write(`UEFI: power-on to the first line ${seconds} s, ${machine.accelerator}\n`);
});

test('a crash is told and survived; the universal pack drives what it never heard of', async () => {
  const universal = join(cacheDirectory, 'test/universal.pack');
  await mkdir(join(cacheDirectory, 'test'), { recursive: true });
  const pack = await buildUniversalPack({ kernel: runtime.kernel, output: universal });
  process.stdout.write(`universal pack: ${pack.file.bytes} bytes, ${pack.manifest.modules.length} modules\n`);

  const base = demoStationHardware({ disk: await blankDisk('sata.raw') });
  const hardware: MachineHardware = {
    ...base,
    nics: [
      { model: 'e1000e', mac: '52:54:00:77:00:02', slot: 5 },
      { model: 'virtio-net-pci', mac: '52:54:00:77:00:01', slot: 4 },
    ],
    disks: [
      ...base.disks,
      { kind: 'nvme', file: await blankDisk('nvme.raw'), format: 'raw', serial: 'NVME-1' },
      { kind: 'virtio', file: await blankDisk('virtio.raw'), format: 'raw', serial: 'VIRTIO-1' },
    ],
  };
  await using machine = await boot({ name: 'crash', hardware, pack: universal, parameters: 'probe=crash' });
  await machine.console.waitFor(/ended with exit code 7/, { timeoutSeconds: 120 });
  await machine.console.waitFor(/power off: /, { timeoutSeconds: 10 });
  await machine.console.type('s\n');
  await machine.console.waitFor(/# /, { timeoutSeconds: 20 });
  await machine.console.type('sleep 2; grep -c "^State:.Z" /proc/[0-9]*/status | grep -c :1; exit\n');
  expect((await machine.console.waitFor(/\n(\d+)\n/, { timeoutSeconds: 20 }))[1]).toBe('0');
  await machine.console.waitFor(/power off: /, { timeoutSeconds: 20 });
  await machine.console.type('r\n');

  const drivers = await said(machine, 'drivers');
  expect(drivers).toMatchObject({ kind: 'loaded', station: null, withoutDriver: [] });
  expect(drivers.modules.length).toBeLessThan(60);
  const { passport, networkDevices } = await said(machine, 'inventory');
  expect(networkDevices.map(({ card }: { card: { mac: string } }) => card.mac)).toEqual([
    '52:54:00:77:00:01',
    '52:54:00:77:00:02',
  ]);
  const disks = (passport as HardwarePassport).disks;
  expect(disks.map(({ serial }) => serial).sort()).toEqual(['LAB-D-0001', 'NVME-1', 'VIRTIO-1']);
  expect(compareDisks(disks, disks)).toEqual([]);
  await machine.waitForEnd({ timeoutSeconds: 60 });
});
