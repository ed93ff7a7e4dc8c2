import * as z from 'zod';
import { secureBootKeysSchema } from './secure-boot-keys.ts';

/**
 * Hardware passport: what a station's hardware is, read from SMBIOS, sysfs and the disks themselves and
 * never from device names (DESIGN section 6). A field that the machine does not offer is an empty string
 * in SMBIOS and absent elsewhere; nothing is invented.
 */

/** PCI address as sysfs writes it: domain:bus:device.function. */
const pciSlot = z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/);
/** vendor:device, four lower-case hex digits each. */
const pciId = z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/);
const macAddress = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
/** One line of a table that a firmware wrote: any text, bounded. */
const firmwareText = z.string().max(256);

const smbiosProduct = z.strictObject({
  vendor: firmwareText,
  product: firmwareText,
  version: firmwareText,
  serial: firmwareText,
});

export const networkCardSchema = z.strictObject({
  slot: pciSlot,
  id: pciId,
  subsystem: pciId,
  mac: macAddress,
});

export const storageControllerSchema = z.strictObject({
  slot: pciSlot,
  id: pciId,
  subsystem: pciId,
  /** PCI class code, six hex digits: 010601 is AHCI, 010400 RAID, 010802 NVMe. */
  pciClass: z.string().regex(/^[0-9a-f]{6}$/),
  mode: z.enum(['ahci', 'raid', 'nvme', 'ide', 'sas', 'scsi', 'virtio', 'other']),
});

export const passportDiskSchema = z.strictObject({
  /** Where it is attached: the controller's PCI slot and the path below it, e.g. 0000:00:1f.2/ata1. */
  slot: z.string().max(256),
  model: firmwareText,
  serial: firmwareText.optional(),
  /** World Wide Name as sysfs writes it: naa.…, eui.…, t10.… */
  wwn: firmwareText.optional(),
  sizeBytes: z.int().positive(),
  logicalSectorBytes: z.int().positive(),
  physicalSectorBytes: z.int().positive(),
  removable: z.boolean(),
});

export const hardwarePassportSchema = z.strictObject({
  formatVersion: z.literal(1),
  takenAt: z.iso.datetime(),
  /** Declared rehearsal stand-in: a virtual machine that poses as the station (DESIGN section 6). */
  standIn: z.boolean(),
  system: smbiosProduct.extend({ uuid: firmwareText }),
  board: smbiosProduct,
  cpu: z.strictObject({ model: firmwareText, threads: z.int().positive() }),
  memoryBytes: z.int().positive(),
  firmware: z.strictObject({
    kind: z.enum(['bios', 'uefi']),
    version: firmwareText,
    secureBoot: z.enum(['enabled', 'disabled', 'not-supported']),
    /** UEFI: which boot loaders the firmware would start. */
    secureBootKeys: secureBootKeysSchema.optional(),
  }),
  /** In slot order: the order matters to PCS 7. */
  networkCards: z.array(networkCardSchema).max(64),
  storageControllers: z.array(storageControllerSchema).max(64),
  disks: z.array(passportDiskSchema).max(256),
  /** Every PCI and USB modalias, sorted: what a driver pack must cover. */
  modaliases: z.array(z.string().max(256)).max(4096),
});

export type HardwarePassport = z.infer<typeof hardwarePassportSchema>;
export type NetworkCard = z.infer<typeof networkCardSchema>;
export type StorageController = z.infer<typeof storageControllerSchema>;
export type PassportDisk = z.infer<typeof passportDiskSchema>;
