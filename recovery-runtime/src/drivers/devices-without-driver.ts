import { pciClassName } from '#driver-packs/pci-class-names.ts';
import { readPciFunctions } from '../inventory/pci-functions.ts';
import { listDirectory, resolveLink, type Sysfs } from '../inventory/sysfs.ts';

/** A storage or network device that nothing drives. */
export interface DeviceWithoutDriver {
  readonly slot: string;
  /** vendor:device */
  readonly id: string;
  readonly className: string;
}

/** Storage (class 01) and network (class 02) functions with no driver bound, in slot order. */
export async function devicesWithoutDriver(root = '/'): Promise<DeviceWithoutDriver[]> {
  const sysfs: Sysfs = { root };
  const found: DeviceWithoutDriver[] = [];
  for (const { slot, id, pciClass, driver } of await readPciFunctions(sysfs)) {
    if (!pciClass.startsWith('01') && !pciClass.startsWith('02')) continue;
    if (driver === undefined || (await hasIdleVirtioDevice(sysfs, slot))) {
      found.push({ slot, id, className: pciClassName(pciClass) });
    }
  }
  return found;
}

/** virtio_pci binds the function; the device behind it needs a driver of its own. */
async function hasIdleVirtioDevice(sysfs: Sysfs, slot: string): Promise<boolean> {
  const directory = `sys/bus/pci/devices/${slot}`;
  for (const name of await listDirectory(sysfs, directory)) {
    if (!/^virtio\d+$/.test(name)) continue;
    if ((await resolveLink(sysfs, `${directory}/${name}/driver`)) === undefined) return true;
  }
  return false;
}

/** One line a device, for the console. */
export function formatDevicesWithoutDriver(devices: readonly DeviceWithoutDriver[]): string[] {
  return devices.map(({ slot, id, className }) => `  ${slot}  ${id}  ${className}`);
}
