import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { type RequiredDevice, requiredDevices } from '../required-devices.ts';
import type { InfFile } from './inf-file.ts';

/** A driver of a folder: where its INF lies, and what it says. */
export interface WindowsDriver {
  /** Below the folder, with slashes. */
  readonly path: string;
  readonly inf: InfFile;
}

export interface WinpeCoverageRow extends RequiredDevice {
  /** `in-box`: WinPE brings it along. */
  readonly driver: WindowsDriver | 'in-box' | undefined;
}

/** What WinPE has by itself for a whole class: storahci (Windows 8), stornvme (Windows 8.1). */
const inBoxClasses: readonly string[] = ['010601', '010802'];

/** For every network card and storage controller, the driver that Windows would take. Pure. */
export function matchDrivers(
  passport: HardwarePassport,
  drivers: readonly WindowsDriver[],
): WinpeCoverageRow[] {
  return requiredDevices(passport).map((device) => {
    const subsystem = subsystemOf(passport, device);
    const fitting = drivers
      .map((driver) => ({ driver, rank: rankOf(driver.inf, { ...device, subsystem }) }))
      .filter(({ rank }) => rank > 0)
      .sort((a, b) => b.rank - a.rank || compareVersions(b.driver.inf, a.driver.inf));
    const inBox = inBoxClasses.includes(device.pciClass) ? 'in-box' : undefined;
    return { ...device, driver: fitting[0]?.driver ?? inBox };
  });
}

function subsystemOf(passport: HardwarePassport, { slot, id }: RequiredDevice): string | undefined {
  const parts = [...passport.networkCards, ...passport.storageControllers];
  return parts.find((part) => part.slot === slot && part.id === id)?.subsystem;
}

interface PciDevice {
  /** vendor:device */
  readonly id: string;
  /** vendor:device */
  readonly subsystem: string | undefined;
  readonly pciClass: string;
}

/** How exactly the best id of an INF names the device ("Identifiers for PCI Devices", Microsoft Learn); 0: not at all. */
export function rankOf({ models }: InfFile, device: PciDevice): number {
  return Math.max(0, ...models.flatMap(({ ids }) => ids).map((id) => rankId(id, device)));
}

function rankId(id: string, { id: own, subsystem, pciClass }: PciDevice): number {
  const [, text] = /^PCI\\(.+)$/.exec(id) ?? [];
  if (text === undefined) return 0;
  const [vendor = '', device = ''] = own.toUpperCase().split(':');
  const [subVendor = '', subDevice = ''] = (subsystem ?? '').toUpperCase().split(':');
  let rank = 0;
  for (const part of text.split('&')) {
    const [, name, value = ''] = /^(VEN|DEV|SUBSYS|REV|CC)_([0-9A-F]+)$/.exec(part) ?? [];
    if (name === undefined) return 0;
    if (name === 'VEN' && value === vendor) rank += 1;
    else if (name === 'DEV' && value === device) rank += 4;
    else if (name === 'SUBSYS' && value === `${subDevice}${subVendor}`) rank += 8;
    else if (name === 'CC' && pciClass.toUpperCase().startsWith(value)) rank += value.length > 4 ? 2 : 1;
    // A passport keeps no revision: Windows decides when it is there.
    else if (name === 'REV') rank += 0;
    else return 0;
  }
  return rank;
}

/** By date, then by version, as Windows ranks two that name the device alike. */
function compareVersions(a: InfFile, b: InfFile): number {
  if (a.date !== b.date) return a.date < b.date ? -1 : 1;
  const [left, right] = [a, b].map(({ version }) => version.split('.').map(Number));
  for (let at = 0; at < 4; at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
