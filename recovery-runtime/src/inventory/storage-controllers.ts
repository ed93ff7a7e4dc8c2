import type { StorageController } from '#images/passport/hardware-passport.ts';
import type { PciFunction } from './pci-functions.ts';

/** Storage controllers among the PCI functions: class 01, and SD or eMMC hosts that carry a disk. */
export function storageControllersOf(
  functions: readonly PciFunction[],
  diskSlots: readonly string[],
): StorageController[] {
  return functions
    .filter(
      ({ pciClass, slot }) =>
        pciClass.startsWith('01') ||
        (pciClass.startsWith('0805') && diskSlots.some((diskSlot) => diskSlot.startsWith(`${slot}/`))),
    )
    .map(({ slot, id, subsystem, pciClass }) => ({
      slot,
      id,
      subsystem,
      pciClass,
      mode: storageMode(id, pciClass),
    }));
}

/** What the controller's class code says about the mode that firmware set-up put it in. */
export function storageMode(id: string, pciClass: string): StorageController['mode'] {
  if (id.startsWith('1af4:')) return 'virtio';
  if (pciClass === '010601') return 'ahci';
  switch (pciClass.slice(0, 4)) {
    case '0100':
      return 'scsi';
    case '0101':
    case '0105':
      return 'ide';
    case '0104':
      return 'raid';
    case '0107':
      return 'sas';
    case '0108':
      return 'nvme';
    default:
      return 'other';
  }
}
