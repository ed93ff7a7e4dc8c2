import type { NetworkCard } from '#images/passport/hardware-passport.ts';
import { type PciFunction, splitAtPciSlot } from './pci-functions.ts';
import { listDirectory, readAttribute, readNumber, resolveLink, type Sysfs } from './sysfs.ts';

/** A card of the passport and the interface name that it happens to have in this boot. */
export interface NetworkDevice {
  readonly card: NetworkCard;
  /** e.g. eth0; never kept, never compared. */
  readonly interfaceName: string;
}

/**
 * Network cards in slot order, ports of one card in port order. What comes and goes is left out: USB adapters, and
 * cards behind an external PCI port (a Thunderbolt dock), which the kernel calls removable.
 */
export async function readNetworkDevices(
  sysfs: Sysfs,
  functions: readonly PciFunction[],
): Promise<NetworkDevice[]> {
  const found: (NetworkDevice & { readonly port: number })[] = [];
  for (const interfaceName of await listDirectory(sysfs, 'sys/class/net')) {
    const device = await resolveLink(sysfs, `sys/class/net/${interfaceName}/device`);
    const place = device === undefined ? undefined : splitAtPciSlot(device);
    const pci = functions.find(({ slot }) => slot === place?.slot);
    const mac = (await readAttribute(sysfs, `sys/class/net/${interfaceName}/address`))?.trim().toLowerCase();
    const viaUsb = place?.below.some((part) => /^usb\d+$/.test(part));
    const inDock =
      pci !== undefined &&
      (await readAttribute(sysfs, `sys/bus/pci/devices/${pci.slot}/removable`))?.trim() === 'removable';
    if (
      pci === undefined ||
      viaUsb ||
      inDock ||
      mac === undefined ||
      !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)
    )
      continue;
    found.push({
      interfaceName,
      port: (await readNumber(sysfs, `sys/class/net/${interfaceName}/dev_port`)) ?? 0,
      card: { slot: pci.slot, id: pci.id, subsystem: pci.subsystem, mac },
    });
  }
  return found
    .sort((a, b) => (a.card.slot === b.card.slot ? a.port - b.port : a.card.slot < b.card.slot ? -1 : 1))
    .map(({ card, interfaceName }) => ({ card, interfaceName }));
}
