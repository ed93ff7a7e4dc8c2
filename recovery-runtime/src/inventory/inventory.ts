import { RekindleError } from '#base/errors.ts';
import type { BootTrust } from '#contract/run-report.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { type DiskDevice, readDisks } from './disks.ts';
import { type NetworkDevice, readNetworkDevices } from './network-cards.ts';
import { readPciFunctions } from './pci-functions.ts';
import { readSecureBootKeys } from './secure-boot-keys.ts';
import { parseInstalledMemory } from './smbios.ts';
import { storageControllersOf } from './storage-controllers.ts';
import { listDirectory, readAttribute, readAttributeBytes, resolveLink, type Sysfs } from './sysfs.ts';

/** The passport of this machine, and what its parts are called in this boot. */
export interface Inventory {
  readonly passport: HardwarePassport;
  readonly bootTrust: BootTrust;
  readonly disks: readonly DiskDevice[];
  readonly networkDevices: readonly NetworkDevice[];
}

export interface InventoryOptions {
  /** Where sys/ and proc/ are; another than `/` reads a captured machine. */
  readonly root?: string;
  readonly takenAt?: Date;
  /** Declared by the caller, never guessed: this machine poses as a station in a rehearsal. */
  readonly standIn?: boolean;
}

/**
 * Looks at the machine; changes nothing.
 * @throws RekindleError `unexpected` when what the machine says makes no valid passport.
 */
export async function takeInventory({
  root = '/',
  takenAt = new Date(),
  standIn = false,
}: InventoryOptions = {}): Promise<Inventory> {
  const sysfs: Sysfs = { root };
  const functions = await readPciFunctions(sysfs);
  const disks = await readDisks(sysfs);
  const networkDevices = await readNetworkDevices(sysfs, functions);
  const usb = await listDirectory(sysfs, 'sys/bus/usb/devices');
  const usbModaliases = await Promise.all(
    usb.map((name) => readAttribute(sysfs, `sys/bus/usb/devices/${name}/modalias`)),
  );
  const modaliases = [...functions.map(({ modalias }) => modalias), ...usbModaliases].filter(
    (modalias) => modalias !== undefined && modalias !== '',
  );

  const parsed = hardwarePassportSchema.safeParse({
    formatVersion: 1,
    takenAt: takenAt.toISOString(),
    standIn,
    ...(await readSmbiosNames(sysfs)),
    cpu: await readCpu(sysfs),
    memoryBytes: await readMemoryBytes(sysfs),
    firmware: await readFirmware(sysfs),
    networkCards: networkDevices.map(({ card }) => card),
    storageControllers: storageControllersOf(
      functions,
      disks.map(({ passportDisk }) => passportDisk.slot),
    ),
    disks: disks.map(({ passportDisk }) => passportDisk),
    modaliases: [...new Set(modaliases)].sort(),
  });
  if (!parsed.success) {
    throw new RekindleError('unexpected', 'what this machine says about itself makes no hardware passport', {
      cause: parsed.error,
      next: 'keep the output of this console: a field of the passport has to learn what this machine says',
    });
  }
  const bootTrust: BootTrust = {
    secureBoot: parsed.data.firmware.secureBoot,
    kernelLockdown: await readKernelLockdown(sysfs),
  };
  return { passport: parsed.data, bootTrust, disks, networkDevices };
}

export async function takePassport(options: InventoryOptions = {}): Promise<HardwarePassport> {
  return (await takeInventory(options)).passport;
}

/** Vendors' placeholders ("To be filled by O.E.M.") stay as they are: they are what the board says. */
async function readSmbiosNames(sysfs: Sysfs) {
  const text = async (name: string): Promise<string> =>
    ((await readAttribute(sysfs, `sys/class/dmi/id/${name}`)) ?? '').slice(0, 256);
  const product = async (prefix: string, vendor: string) => ({
    vendor: await text(vendor),
    product: await text(`${prefix}_name`),
    version: await text(`${prefix}_version`),
    serial: await text(`${prefix}_serial`),
  });
  return {
    system: { ...(await product('product', 'sys_vendor')), uuid: await text('product_uuid') },
    board: await product('board', 'board_vendor'),
  };
}

async function readCpu(sysfs: Sysfs) {
  const text = (await readAttribute(sysfs, 'proc/cpuinfo')) ?? '';
  const model = /^model name\s*: (.*)$/m.exec(text)?.[1] ?? '';
  return { model: model.trim().slice(0, 256), threads: text.match(/^processor\s*:/gm)?.length ?? 0 };
}

async function readMemoryBytes(sysfs: Sysfs): Promise<number> {
  const table = await readAttributeBytes(sysfs, 'sys/firmware/dmi/tables/DMI');
  const installed = table === undefined ? undefined : parseInstalledMemory(table);
  if (installed !== undefined) return installed;
  const text = (await readAttribute(sysfs, 'proc/meminfo')) ?? '';
  return Number(/^MemTotal:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Debian's kernel locks itself down when the firmware says Secure Boot: `none [integrity] confidentiality`. */
async function readKernelLockdown(sysfs: Sysfs): Promise<BootTrust['kernelLockdown']> {
  const text = (await readAttribute(sysfs, 'sys/kernel/security/lockdown')) ?? '';
  const level = /\[(none|integrity|confidentiality)\]/.exec(text)?.[1];
  return (level as BootTrust['kernelLockdown'] | undefined) ?? 'unknown';
}

/** GUID of the variables that the UEFI specification itself defines (EFI_GLOBAL_VARIABLE). */
const secureBootVariable = 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';

async function readFirmware(sysfs: Sysfs): Promise<HardwarePassport['firmware']> {
  const version = ((await readAttribute(sysfs, 'sys/class/dmi/id/bios_version')) ?? '').slice(0, 256);
  if ((await resolveLink(sysfs, 'sys/firmware/efi')) === undefined) {
    return { kind: 'bios', version, secureBoot: 'not-supported' };
  }
  // efivarfs puts four bytes of attributes before the value.
  const value = (await readAttributeBytes(sysfs, secureBootVariable))?.[4];
  const secureBoot = value === undefined ? 'not-supported' : value === 1 ? 'enabled' : 'disabled';
  const secureBootKeys = await readSecureBootKeys(sysfs);
  return { kind: 'uefi', version, secureBoot, ...(secureBootKeys === undefined ? {} : { secureBootKeys }) };
}
