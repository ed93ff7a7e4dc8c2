/** What an emulated machine is made of: the part of it that stays the same from one boot to the next. */

export type FirmwareKind = 'bios' | 'uefi';

export type NicModel = 'virtio-net-pci' | 'e1000' | 'e1000e' | 'igb' | 'vmxnet3' | 'rtl8139';

export interface EmulatedNic {
  readonly model: NicModel;
  /** Six hexadecimal pairs with colons. */
  readonly mac: string;
  /** Device number on the root PCI bus, 2 to 30; the order of slots is the order of the NICs. */
  readonly slot: number;
  /** Tap interface in the machine's network namespace; without one the cable is unplugged. */
  readonly tap?: string;
}

interface DiskFile {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
  /** At most 20 characters (ATA and NVMe limit). */
  readonly serial: string;
}

/** On the AHCI controller of the chipset. */
export interface SataDisk extends DiskFile {
  readonly kind: 'sata';
  /** At most 40 characters (ATA limit). */
  readonly model: string;
  /** World Wide Name, 64 bits. */
  readonly wwn?: bigint;
  /** On the AHCI controller; default: the disk's place among all disks. */
  readonly port?: number;
}

/** Behind virtio-scsi; unlike ATA disks of QEMU it may have sectors of 4096 bytes. */
export interface ScsiDisk extends DiskFile {
  readonly kind: 'scsi';
  readonly vendor: string;
  readonly product: string;
  readonly sectorBytes: number;
  readonly wwn?: bigint;
}

/** QEMU gives these no model and no WWN of the user's choice. */
export interface PlainDisk extends DiskFile {
  readonly kind: 'virtio' | 'nvme';
}

export type EmulatedDisk = SataDisk | ScsiDisk | PlainDisk;

/** SMBIOS types 1 (system) and 2 (board). */
export interface SmbiosIdentity {
  readonly uuid: string;
  readonly vendor: string;
  readonly product: string;
  readonly version?: string;
  readonly serial: string;
  readonly boardVendor: string;
  readonly boardProduct: string;
  readonly boardVersion?: string;
  readonly boardSerial: string;
}

export interface MachineHardware {
  readonly smbios: SmbiosIdentity;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly nics: readonly EmulatedNic[];
  readonly disks: readonly EmulatedDisk[];
}

/** The firmware a machine starts with; a UEFI machine keeps its variables in `variableStore`. */
export type MachineFirmware =
  | { readonly kind: 'bios' }
  | {
      readonly kind: 'uefi';
      readonly code: string;
      readonly variableStore: string;
      /** The firmware guards its variables itself, and starts what their keys signed. */
      readonly secureBoot?: boolean;
    };

/** A recovery medium in the drive or in a USB port; no part of the station. */
export interface InsertedMedium {
  readonly kind: 'cd' | 'usb-stick';
  /** Raw image, in the case of a CD an ISO image. */
  readonly file: string;
  /** A stick without write protection. */
  readonly writable?: boolean;
  /** Of a stick; default LAB-STICK. */
  readonly serial?: string;
}
