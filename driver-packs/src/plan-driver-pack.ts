import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { type IndexedModule, inLoadOrder, type ModuleIndex, modulesForModalias } from './module-index.ts';
import type { PackManifest } from './pack-manifest.ts';
import { type RequiredDevice, requiredDevices } from './required-devices.ts';

export interface DriverPackPlan {
  readonly kernel: string;
  /** In load order, dependencies included. */
  readonly modules: readonly IndexedModule[];
  readonly covers: PackManifest['covers'];
  /** Devices that no module of this kernel binds. */
  readonly uncovered: readonly RequiredDevice[];
}

/** What the kernel binds to a disk behind any SCSI host: SATA, SAS, USB and virtio-scsi alike. */
export const scsiDiskModalias = 'scsi:t-0x00';

/** Chooses the modules that one station's recovery needs. */
export function planDriverPack(
  passport: HardwarePassport,
  index: ModuleIndex,
  also: readonly string[] = [],
): DriverPackPlan {
  const wanted = [...also];
  const covers: PackManifest['covers'] = [];
  const uncovered: RequiredDevice[] = [];
  for (const device of requiredDevices(passport)) {
    const bound = device.modaliases.map((modalias) => modulesForModalias(index, modalias));
    const module = bound.every((names) => names.length > 0) ? bound.at(-1)?.[0] : undefined;
    wanted.push(...bound.flat());
    if (module === undefined) uncovered.push(device);
    else covers.push({ slot: device.slot, id: device.id, pciClass: device.pciClass, module });
  }
  // The driver of an SD or eMMC host leaves the medium on it to another module.
  if (passport.modaliases.some((modalias) => /^pci:.*bc08sc05/i.test(modalias))) {
    wanted.push(
      ...passport.modaliases.filter((m) => /bc08sc05/i.test(m)).flatMap((m) => modulesForModalias(index, m)),
      'mmc_block',
    );
  }
  return { kernel: index.kernel, modules: withDiskDriver(index, wanted), covers, uncovered };
}

/** Load order of the named modules; the SCSI disk driver is last where anything brings SCSI along. */
export function withDiskDriver(index: ModuleIndex, names: readonly string[]): IndexedModule[] {
  const order = inLoadOrder(index, names);
  if (!order.some(({ name }) => name === 'scsi_mod')) return order;
  return inLoadOrder(index, [...names, ...modulesForModalias(index, scsiDiskModalias)]);
}
