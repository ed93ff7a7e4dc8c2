import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { isPlaceholderSerial, isPlaceholderUuid } from '#images/passport/identity-facts.ts';
import { matchDisks } from '#images/passport/match-disks.ts';
import { recogniseStation } from '#images/passport/recognise-station.ts';
import { takePassport } from '#runtime/inventory/inventory.ts';
import { layOutSysfs } from '#test/support/captured-sysfs.ts';
import { machineShapes } from '#test/support/machine-shapes.ts';

/**
 * Passports of emulated machines of many shapes, from what each one's kernel said of it once. `node
 * test/support/capture-machine-shapes.ts` boots them anew; machine-shapes.ts says what is in each.
 */
async function passportOf(shape: string): Promise<HardwarePassport> {
  const root = mkdtempSync(join(tmpdir(), 'shape-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  layOutSysfs(readFileSync(`test/support/captured-sysfs/${shape}.tsv`, 'utf8'), root);
  return takePassport({ root, takenAt: new Date('2026-11-27T00:00:00Z') });
}

const lines = ({ disks, networkCards, storageControllers }: HardwarePassport): string[] => [
  ...disks.map(
    ({ slot, model, serial, wwn, logicalSectorBytes, removable }) =>
      `disk ${slot} | ${model} | ${serial ?? '-'} | ${wwn?.replace(/ +/g, ' ') ?? '-'} | ${logicalSectorBytes}${removable ? ' removable' : ''}`,
  ),
  ...networkCards.map(({ slot, id, mac }) => `card ${slot} ${id} ${mac}`),
  ...storageControllers.map(({ slot, id, mode }) => `controller ${slot} ${id} ${mode}`),
];

const expected: Readonly<Record<string, readonly string[]>> = {
  'i440fx-ide': [
    // A serial number that QEMU gives where none was said.
    'disk 0000:00:01.1/ata1 | EXAMPLE IDE DISK | QM00001 | t10.ATA EXAMPLE IDE DISK QM00001 | 512',
    'disk 0000:00:01.1/ata2.1 | QEMU HARDDISK | IDE-0002 | t10.ATA QEMU HARDDISK IDE-0002 | 512',
    'card 0000:00:03.0 8086:100e 52:54:00:00:01:01',
    'card 0000:00:05.0 10ec:8139 52:54:00:00:01:02',
    'controller 0000:00:01.1 8086:7010 ide',
  ],
  'q35-nvme-4kn': [
    'disk 0000:00:06.0/ns1 | QEMU NVMe Ctrl | NVME-PLAIN | nvme.1b36-4e564d452d504c41494e-51454d55204e564d65204374726c-00000001 | 512',
    'disk 0000:01:00.0/ns1 | QEMU NVMe Ctrl | NVME-4KN | nvme.1b36-4e564d452d344b4e-51454d55204e564d65204374726c-00000001 | 4096',
    'disk 0000:01:00.0/ns2 | QEMU NVMe Ctrl | NVME-4KN | nvme.1b36-4e564d452d344b4e-51454d55204e564d65204374726c-00000002 | 512',
    'card 0000:00:03.0 8086:10d3 52:54:00:00:02:01',
    'controller 0000:00:06.0 1b36:0010 nvme',
    'controller 0000:00:1f.2 8086:2922 ahci',
    'controller 0000:01:00.0 1b36:0010 nvme',
  ],
  'q35-duplicate-serials': [
    'disk 0000:00:1f.2/ata1 | EXAMPLE SSD | SAME-0001 | t10.ATA EXAMPLE SSD SAME-0001 | 512',
    'disk 0000:00:1f.2/ata3 | EXAMPLE SSD | SAME-0001 | t10.ATA EXAMPLE SSD SAME-0001 | 512',
    'disk 0000:00:1f.2/ata5 | EXAMPLE SSD | SAME-0001 | naa.5000c50000000031 | 512',
    'card 0000:00:03.0 1af4:1000 52:54:00:00:03:01',
    'controller 0000:00:1f.2 8086:2922 ahci',
  ],
  'q35-nameless-disks': [
    'disk 0000:00:08.0 |  | - | - | 512',
    'disk 0000:00:09.0/scsi0:1:0 | QEMU QEMU HARDDISK | - | - | 512',
    // QEMU makes one of where the stick is plugged in.
    'disk 0000:00:10.0/usb-1 | QEMU QEMU HARDDISK | 1-0000:00:10.0-1 | - | 512 removable',
    'card 0000:00:03.0 1af4:1000 52:54:00:00:04:01',
    'controller 0000:00:08.0 1af4:1001 virtio',
    'controller 0000:00:09.0 1af4:1004 virtio',
    'controller 0000:00:1f.2 8086:2922 ahci',
  ],
  'q35-scsi-hosts': [
    'disk 0000:00:05.0/scsi2:0:0 | EXAMPLE VOLUME 1 | RAID-0001 | naa.5000c50000000051 | 512',
    'disk 0000:00:06.0/scsi0:2:0 | QEMU QEMU HARDDISK | LSI-0001 | naa.5000c50000000052 | 512',
    'disk 0000:00:07.0/scsi0:1:0 | QEMU QEMU HARDDISK | PATH-0001 | naa.5000c50000000053 | 512',
    'disk 0000:00:09.0/scsi0:1:0 | QEMU QEMU HARDDISK | PATH-0001 | naa.5000c50000000053 | 512',
    'card 0000:00:03.0 8086:100e 52:54:00:00:05:01',
    'controller 0000:00:05.0 1000:0060 raid',
    'controller 0000:00:06.0 1000:0012 scsi',
    'controller 0000:00:07.0 15ad:07c0 scsi',
    'controller 0000:00:09.0 1af4:1004 virtio',
    'controller 0000:00:1f.2 8086:2922 ahci',
  ],
  // In slot order, whatever the addresses are; two functions of one slot, two cards behind a bridge of PCI.
  'q35-many-cards': [
    'disk 0000:00:1f.2/ata1 | QEMU HARDDISK | GW-DISK | t10.ATA QEMU HARDDISK GW-DISK | 512',
    'card 0000:00:07.0 8086:100e 52:54:00:00:06:02',
    'card 0000:00:07.1 8086:100e 52:54:00:00:06:01',
    'card 0000:00:08.0 1af4:1000 52:54:00:00:06:03',
    'card 0000:00:09.0 15ad:07b0 52:54:00:00:06:04',
    'card 0000:01:00.0 8086:10d3 52:54:00:00:06:07',
    'card 0000:03:01.0 1022:2000 52:54:00:00:06:05',
    'card 0000:03:02.0 10ec:8139 52:54:00:00:06:06',
    'controller 0000:00:1f.2 8086:2922 ahci',
  ],
  // The dock's card is none of the station's; the optical drive is no disk.
  'q35-removable-things': [
    'disk 0000:00:06.0/mmc | QEMU! | 0xdeadbeef | - | 512',
    'disk 0000:00:10.0/usb-1 | QEMU QEMU HARDDISK | STICK-0001 | - | 512 removable',
    'disk 0000:00:10.0/usb-2 | QEMU QEMU HARDDISK | UAS-0001 | - | 512 removable',
    'disk 0000:00:1f.2/ata1 | EXAMPLE SSD | BUILT-IN | t10.ATA EXAMPLE SSD BUILT-IN | 512',
    'card 0000:00:03.0 1af4:1000 52:54:00:00:07:01',
    'controller 0000:00:06.0 1b36:0007 other',
    'controller 0000:00:1f.2 8086:2922 ahci',
  ],
};

const captured = readdirSync('test/support/captured-sysfs').map((file) => file.replace(/\.tsv$/, ''));

test('every shape is captured, and every capture is of a shape', () => {
  const own = captured.filter((name) => name !== 'q35-one-of-everything');
  expect(own.sort()).toEqual(Object.keys(machineShapes).sort());
  expect(Object.keys(expected).sort()).toEqual(own.sort());
});

describe.each(Object.keys(expected))('%s', (shape) => {
  test('disks, cards and controllers by what they say and where they are', async () => {
    expect(lines(await passportOf(shape))).toEqual(expected[shape]);
  });
  test('is identical with itself, and no name of that boot is in its passport', async () => {
    const passport = await passportOf(shape);
    expect(comparePassports(passport, passport).filter(({ severity }) => severity !== 'note')).toEqual([]);
    expect(JSON.stringify(passport)).not.toMatch(
      /\b(sd[a-z]|vd[a-z]|hd[a-z]|nvme\dn\d|mmcblk\d|eth\d|ens\d)\b/,
    );
  });
});

describe('what the rules make of them', () => {
  const matchOf = (passport: HardwarePassport, slot: string) => {
    const disk = passport.disks.find((each) => each.slot === slot);
    if (disk === undefined) throw new Error(`no disk in ${slot}`);
    return matchDisks([[disk]], passport.disks)[0];
  };

  test('one serial number on two disks is ambiguous; the one with a WWN is not', async () => {
    const passport = await passportOf('q35-duplicate-serials');
    expect(matchOf(passport, '0000:00:1f.2/ata1')).toMatchObject({ kind: 'twice' });
    expect(matchOf(passport, '0000:00:1f.2/ata5')).toMatchObject({ kind: 'same', by: 'wwn' });
  });

  test('a disk with two paths is there twice, and neither is written', async () => {
    const passport = await passportOf('q35-scsi-hosts');
    expect(matchOf(passport, '0000:00:07.0/scsi0:1:0')).toMatchObject({ kind: 'twice' });
    expect(matchOf(passport, '0000:00:05.0/scsi2:0:0')).toMatchObject({ kind: 'same', by: 'wwn' });
  });

  test('a disk that nothing names is known by its place only; two name spaces are two disks', async () => {
    const nameless = await passportOf('q35-nameless-disks');
    expect(matchOf(nameless, '0000:00:08.0')).toMatchObject({ kind: 'same', by: 'place' });
    const nvme = await passportOf('q35-nvme-4kn');
    expect(matchOf(nvme, '0000:01:00.0/ns2')).toMatchObject({ kind: 'same', by: 'wwn' });
  });

  test('a UUID or serial number that a vendor never set names nobody', async () => {
    const vendors = await passportOf('q35-nvme-4kn');
    expect(isPlaceholderUuid(vendors.system.uuid)).toBe(true);
    expect([vendors.system.serial, vendors.board.serial].every(isPlaceholderSerial)).toBe(true);
    for (const shape of ['q35-nameless-disks', 'i440fx-ide'])
      expect(isPlaceholderUuid((await passportOf(shape)).system.uuid)).toBe(true);
    // One card is one fact, and one fact is not believed.
    expect(recogniseStation(vendors, [{ name: 'ITSELF', passport: vendors }]).kind).toBe('unknown');
  });
});
