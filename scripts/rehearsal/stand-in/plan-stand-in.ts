import { RekindleError } from '#base/errors.ts';
import type { HardwarePassport, NetworkCard, PassportDisk } from '#images/passport/hardware-passport.ts';
import type { EmulatedDisk, EmulatedNic, MachineHardware, NicModel } from '../machine-hardware.ts';

export interface StandInPlan {
  /** Disk files are named by `fileOf`; the first card is the one with a cable. */
  readonly hardware: MachineHardware;
  /** Sizes of the disk files, in the order of the hardware's disks. */
  readonly diskBytes: readonly number[];
  /** What the virtual machine cannot be like, a sentence each. */
  readonly differences: readonly string[];
}

/** Cards that QEMU has too, by vendor and device. */
const sameCard: Readonly<Record<string, NicModel>> = {
  '1af4:1000': 'virtio-net-pci',
  '1af4:1041': 'virtio-net-pci',
  '8086:100e': 'e1000',
  '8086:10d3': 'e1000e',
  '8086:10c9': 'igb',
  '15ad:07b0': 'vmxnet3',
  '10ec:8139': 'rtl8139',
};
/** Every loader has a driver for it. */
const anyCard: NicModel = 'e1000e';
const firstSlot = 3;
const mostCards = 16;
const sataPorts = 6;
/** What the recovery runtime needs, with room; the rest of a station's memory proves nothing. */
const memoryMiB = 2048;

/** A virtual machine as much like the station as QEMU can be, for `rekindle rehearse`. Pure. */
export function planStandIn(
  station: string,
  passport: HardwarePassport,
  { tap, fileOf }: { readonly tap: string; readonly fileOf: (disk: number) => string },
): StandInPlan {
  const doing = `Planning a stand-in for ${station}`;
  const { networkCards } = passport;
  const disks = passport.disks.filter(({ removable }) => !removable);
  const refuse = (why: string): never => {
    throw new RekindleError('usage', `${doing}: ${why}`, {
      next: 'Rehearse this station with a spare machine of its model instead.',
    });
  };
  if (networkCards.length === 0) refuse('its passport names no network card');
  if (networkCards.length > mostCards) refuse(`it has ${networkCards.length} network cards`);
  const sata = disks.filter(({ logicalSectorBytes }) => logicalSectorBytes === 512).length;
  if (sata > sataPorts) refuse(`it has ${sata} disks, and QEMU's AHCI controller ${sataPorts} ports`);

  let ports = 0;
  const emulated = disks.map((disk, at): EmulatedDisk => {
    const wwn = parseNaa(disk.wwn);
    if (disk.logicalSectorBytes !== 512) return scsiDisk(disk, fileOf(at), wwn) ?? refuse(unnamed(disk));
    if (wwn === undefined && (disk.serial ?? '').length > 20) refuse(unnamed(disk));
    return {
      kind: 'sata',
      port: ports++,
      file: fileOf(at),
      format: 'raw',
      serial: (disk.serial ?? '').slice(0, 20),
      model: disk.model.slice(0, 40),
      ...(wwn === undefined ? {} : { wwn }),
    };
  });
  const { system, board } = passport;
  return {
    hardware: {
      smbios: {
        uuid: system.uuid,
        ...{ vendor: system.vendor, product: system.product, version: system.version, serial: system.serial },
        ...{ boardVendor: board.vendor, boardProduct: board.product, boardVersion: board.version },
        boardSerial: board.serial,
      },
      memoryMiB,
      cpus: 2,
      nics: networkCards.map(({ id, mac }, at): EmulatedNic => {
        const cable = at === 0 ? { tap } : {};
        return { model: sameCard[id] ?? anyCard, mac, slot: firstSlot + at, ...cable };
      }),
      disks: emulated,
    },
    diskBytes: disks.map(({ sizeBytes }) => sizeBytes),
    differences: [
      ...networkCards.filter(({ id }) => sameCard[id] === undefined).map(otherCard),
      ...passport.storageControllers
        .filter(({ mode }) => mode !== 'ahci')
        .map(({ id, slot }) => `Storage controller ${id} (${slot}) is not rehearsed: the stand-in has AHCI.`),
      ...(passport.firmware.secureBoot === 'enabled'
        ? ['Secure Boot is not rehearsed: the stand-in starts the unsigned network loader.']
        : []),
    ],
  };
}

const otherCard = ({ id, slot }: NetworkCard): string =>
  `Network card ${id} (${slot}) is not rehearsed: the stand-in has ${anyCard}.`;

const unnamed = ({ model }: PassportDisk): string =>
  `its disk ${model} has no name that a virtual disk can carry (a serial number of 20 characters, or an naa WWN)`;

/** Sectors of 4096 bytes: QEMU's ATA disks have none. Vendor 8 and product 16 characters (SPC-4, 6.4.2). */
function scsiDisk(disk: PassportDisk, file: string, wwn: bigint | undefined): EmulatedDisk | undefined {
  const [vendor = '', ...rest] = disk.model.split(' ');
  const product = rest.join(' ');
  const fits =
    vendor.length <= 8 && product.length <= 16 && disk.serial !== undefined && disk.serial.length <= 36;
  if (wwn === undefined && !fits) return undefined;
  return {
    kind: 'scsi',
    file,
    format: 'raw',
    serial: (disk.serial ?? '').slice(0, 36),
    vendor: vendor.slice(0, 8),
    product: product.slice(0, 16),
    sectorBytes: disk.logicalSectorBytes,
    ...(wwn === undefined ? {} : { wwn }),
  };
}

function parseNaa(wwn: string | undefined): bigint | undefined {
  const digits = /^naa\.([0-9a-f]{16})$/i.exec(wwn ?? '')?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}
