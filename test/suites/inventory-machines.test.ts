import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { devicesWithoutDriver } from '#runtime/drivers/devices-without-driver.ts';
import { takeInventory, takePassport } from '#runtime/inventory/inventory.ts';
import { layOutSysfs } from '#test/support/captured-sysfs.ts';

/**
 * A q35 machine of QEMU 7.2 with one of everything, captured by the probe in the runtime: AHCI (two disks,
 * one with a WWN, an optical drive), NVMe, virtio disk, 4Kn disk behind virtio-scsi, USB stick, e1000e and
 * virtio network cards in slots 5 and 4.
 */
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inventory-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  layOutSysfs(await readFile('test/support/captured-sysfs/q35-one-of-everything.tsv', 'utf8'), root);
});

test('every disk is there once, by what it says and where it is attached; no optical drive', async () => {
  const { disks } = await takeInventory({ root });
  expect(
    disks.map(({ passportDisk }) => ({ ...passportDisk, wwn: passportDisk.wwn?.replace(/ +/g, ' ') })),
  ).toEqual([
    {
      slot: '0000:00:07.0/ns1',
      model: 'QEMU NVMe Ctrl',
      serial: 'NVME-0001',
      wwn: expect.stringMatching(/^(nvme|eui|uuid)\./),
      sizeBytes: 67108864,
      logicalSectorBytes: 512,
      physicalSectorBytes: 512,
      removable: false,
    },
    {
      slot: '0000:00:08.0',
      model: '',
      serial: 'VIRTIO-0001',
      wwn: undefined,
      sizeBytes: 67108864,
      logicalSectorBytes: 512,
      physicalSectorBytes: 512,
      removable: false,
    },
    {
      slot: '0000:00:09.0/scsi0:3:0',
      model: 'QEMU QEMU HARDDISK',
      serial: 'SCSI-0001',
      wwn: 'naa.5000c50000000003',
      sizeBytes: 67108864,
      logicalSectorBytes: 4096,
      physicalSectorBytes: 4096,
      removable: false,
    },
    {
      slot: '0000:00:10.0/usb-2',
      model: 'QEMU QEMU HARDDISK',
      serial: 'STICK-0001',
      wwn: undefined,
      sizeBytes: 67108864,
      logicalSectorBytes: 512,
      physicalSectorBytes: 512,
      removable: true,
    },
    {
      slot: '0000:00:1f.2/ata1',
      model: 'QEMU HARDDISK',
      serial: 'SSD-0002',
      wwn: 't10.ATA QEMU HARDDISK SSD-0002',
      sizeBytes: 67108864,
      logicalSectorBytes: 512,
      physicalSectorBytes: 4096,
      removable: false,
    },
    {
      slot: '0000:00:1f.2/ata3',
      model: 'EXAMPLE SSD 240 with a long name',
      serial: 'SSD-0001',
      wwn: 'naa.5000c50000000001',
      sizeBytes: 67108864,
      logicalSectorBytes: 512,
      physicalSectorBytes: 512,
      removable: false,
    },
  ]);
  expect(new Set(disks.map(({ devicePath }) => devicePath)).size).toBe(6);
});

test('cards and controllers in slot order, whatever the kernel calls them', async () => {
  const passport = await takePassport({ root });
  expect(passport.networkCards).toEqual([
    { slot: '0000:00:04.0', id: '1af4:1000', subsystem: '1af4:0001', mac: '52:54:00:00:00:01' },
    { slot: '0000:00:05.0', id: '8086:10d3', subsystem: '8086:0000', mac: '52:54:00:00:00:02' },
  ]);
  expect(passport.storageControllers.map(({ slot, mode }) => `${slot} ${mode}`)).toEqual([
    '0000:00:07.0 nvme',
    '0000:00:08.0 virtio',
    '0000:00:09.0 virtio',
    '0000:00:1f.2 ahci',
  ]);
  expect(await devicesWithoutDriver(root)).toEqual([]);
});

test('SMBIOS texts stay as they are, placeholders too; names of this boot are nowhere', async () => {
  const passport = await takePassport({ root, takenAt: new Date('2026-11-20T02:00:00Z') });
  expect(passport).toMatchObject({
    takenAt: '2026-11-20T02:00:00.000Z',
    standIn: false,
    system: { serial: 'To be filled by O.E.M.', uuid: '03000200-0400-0500-0006-000700080009' },
    board: { vendor: 'Example Boards', product: 'B-70', serial: 'B70-0042' },
    cpu: { threads: 2 },
    memoryBytes: 1024 * 2 ** 20,
    firmware: { kind: 'bios', secureBoot: 'not-supported' },
  });
  expect(passport.modaliases).toContain('pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00');
  expect(passport.modaliases.some((modalias) => modalias.startsWith('usb:'))).toBe(true);
  expect(JSON.stringify(passport)).not.toMatch(/\b(sd[a-z]|vda|nvme0n1|eth\d)\b/);
});

test.each([
  [[6, 0, 0, 0, 1], 'enabled'],
  [[6, 0, 0, 0, 0], 'disabled'],
  [undefined, 'not-supported'],
])('UEFI with Secure Boot variable %j: %s', async (value, expected) => {
  const efivars = join(root, 'sys/firmware/efi/efivars');
  await mkdir(efivars, { recursive: true });
  if (value !== undefined) {
    await writeFile(join(efivars, 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'), Buffer.from(value));
  }
  expect((await takePassport({ root })).firmware).toMatchObject({ kind: 'uefi', secureBoot: expected });
});

test('the kernel says how far it is locked down', async () => {
  expect((await takeInventory({ root })).bootTrust.kernelLockdown).toBe('unknown');
  await mkdir(join(root, 'sys/kernel/security'), { recursive: true });
  await writeFile(join(root, 'sys/kernel/security/lockdown'), 'none [integrity] confidentiality\n');
  expect((await takeInventory({ root })).bootTrust.kernelLockdown).toBe('integrity');
});

test('a machine that says nothing of itself is an error with the fields, not a passport', async () => {
  await rm(join(root, 'proc/cpuinfo'));
  await expect(takePassport({ root })).rejects.toMatchObject({
    message: 'what this machine says about itself makes no hardware passport',
    cause: expect.objectContaining({ message: expect.stringContaining('threads') }),
  });
});
