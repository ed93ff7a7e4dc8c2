import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { formatPciModalias, parsePciModalias, virtioModalias } from './modalias.ts';
import { pciClassName } from './pci-class-names.ts';

/** A device that the runtime must drive to reach the network or the disks. */
export interface RequiredDevice {
  /** PCI slot, or "slot unknown" for a device that nothing drove when the passport was taken. */
  readonly slot: string;
  readonly id: string;
  readonly pciClass: string;
  readonly className: string;
  /** What has to be bound, outermost bus first: the PCI function, then the virtio device behind it. */
  readonly modaliases: readonly string[];
}

/**
 * Every network card and storage controller of a passport, and every other PCI function of these classes
 * (one without a driver has no MAC address and so no place among the cards). Wireless cards are left out:
 * recovery runs over a cable.
 */
export function requiredDevices(passport: HardwarePassport): RequiredDevice[] {
  const listed = passport.modaliases.flatMap((modalias) => {
    const pci = parsePciModalias(modalias);
    return pci === undefined ? [] : [{ modalias, ...pci }];
  });
  const known = [
    ...passport.storageControllers,
    // A passport keeps no class of a network card; its modalias does.
    ...passport.networkCards.map((card) => ({ ...card, pciClass: '020000' })),
  ].map(({ slot, id, subsystem, pciClass }) => {
    const found = listed.find((device) => device.id === id && device.subsystem === subsystem);
    return {
      slot,
      ...(found ?? { modalias: formatPciModalias({ id, subsystem, pciClass }), id, subsystem, pciClass }),
    };
  });
  const unknown = listed
    .filter(({ pciClass }) => isNeeded(pciClass))
    .filter(
      (device) => !known.some(({ id, subsystem }) => id === device.id && subsystem === device.subsystem),
    )
    .map((device) => ({ slot: 'slot unknown', ...device }));

  return [...known, ...unknown].map((device) => {
    const behind = virtioModalias(device);
    return {
      slot: device.slot,
      id: device.id,
      pciClass: device.pciClass,
      className: pciClassName(device.pciClass),
      modaliases: behind === undefined ? [device.modalias] : [device.modalias, behind],
    };
  });
}

function isNeeded(pciClass: string): boolean {
  return pciClass.startsWith('01') || (pciClass.startsWith('02') && !pciClass.startsWith('0280'));
}
