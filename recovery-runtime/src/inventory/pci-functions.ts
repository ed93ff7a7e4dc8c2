import { listDirectory, readAttribute, resolveLink, type Sysfs } from './sysfs.ts';

/** A PCI function as sysfs shows it; ids lower case without 0x. */
export interface PciFunction {
  /** domain:bus:device.function */
  readonly slot: string;
  readonly id: string;
  readonly subsystem: string;
  /** Six hex digits. */
  readonly pciClass: string;
  readonly modalias: string;
  /** Name of the bound driver. */
  readonly driver: string | undefined;
}

const directory = 'sys/bus/pci/devices';

/** Every PCI function, in slot order. */
export async function readPciFunctions(sysfs: Sysfs): Promise<PciFunction[]> {
  const slots = await listDirectory(sysfs, directory);
  return await Promise.all(
    slots.map(async (slot) => {
      const hex = async (name: string, digits: number): Promise<string> =>
        ((await readAttribute(sysfs, `${directory}/${slot}/${name}`)) ?? '')
          .replace(/^0x/, '')
          .toLowerCase()
          .padStart(digits, '0');
      const [vendor, device, subVendor, subDevice, pciClass, modalias, driver] = await Promise.all([
        hex('vendor', 4),
        hex('device', 4),
        hex('subsystem_vendor', 4),
        hex('subsystem_device', 4),
        hex('class', 6),
        readAttribute(sysfs, `${directory}/${slot}/modalias`),
        resolveLink(sysfs, `${directory}/${slot}/driver`),
      ]);
      return {
        slot,
        id: `${vendor}:${device}`,
        subsystem: `${subVendor}:${subDevice}`,
        pciClass,
        modalias: modalias ?? '',
        driver: driver?.slice(driver.lastIndexOf('/') + 1),
      };
    }),
  );
}

const pciAddress = /^[0-9a-f]{4,5}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

/** Splits a device path at its last PCI function: the slot, and what is attached below it. */
export function splitAtPciSlot(devicePath: string): { slot: string; below: string[] } | undefined {
  const parts = devicePath.split('/').filter(Boolean);
  const at = parts.findLastIndex((part) => pciAddress.test(part));
  const slot = parts[at];
  return slot === undefined ? undefined : { slot, below: parts.slice(at + 1) };
}
