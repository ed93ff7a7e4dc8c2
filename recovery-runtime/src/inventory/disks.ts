import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import { parseAtaModel, parseUnitSerial } from './disk-identity.ts';
import { splitAtPciSlot } from './pci-functions.ts';
import {
  listDirectory,
  readAttribute,
  readAttributeBytes,
  readNumber,
  resolveLink,
  type Sysfs,
} from './sysfs.ts';

/** A disk of the passport and the device node that it happens to have in this boot. */
export interface DiskDevice {
  readonly passportDisk: PassportDisk;
  /** e.g. /dev/sda; never kept, never compared. */
  readonly devicePath: string;
}

/** Kernel-made and optical devices, and the boot areas of eMMC, which are no disks of a station. */
const noDisk = /^(loop|ram|zram|nbd|sr|fd|dm-|md|mtdblock|mmcblk\d+(boot|rpmb|gp))/;
/** SCSI peripheral types that the disk driver binds: disk, optical memory, simplified disk, host-managed zones. */
const diskTypes = [0x00, 0x07, 0x0e, 0x14];
const sectorUnit = 512;

/** Every disk that is there now, in the order of where it is attached. */
export async function readDisks(sysfs: Sysfs): Promise<DiskDevice[]> {
  const names = (await listDirectory(sysfs, 'sys/block')).filter((name) => !noDisk.test(name));
  const disks = await Promise.all(names.map((name) => readDisk(sysfs, name)));
  return disks
    .filter((disk) => disk !== undefined)
    .sort((a, b) => compareText(a.passportDisk.slot, b.passportDisk.slot));
}

async function readDisk(sysfs: Sysfs, name: string): Promise<DiskDevice | undefined> {
  const block = `sys/block/${name}`;
  const devicePath = await diskDevicePath(sysfs, block);
  const type = await readNumber(sysfs, `${block}/device/type`);
  const sectors = (await readNumber(sysfs, `${block}/size`)) ?? 0;
  const hidden = await readNumber(sysfs, `${block}/hidden`);
  // An empty card reader has no sectors; a path of a multipath NVMe disk is hidden behind the disk itself.
  if (devicePath === undefined || sectors === 0 || hidden === 1) return undefined;
  if (name.startsWith('sd') && type !== undefined && !diskTypes.includes(type)) return undefined;

  const { model, serial, wwn } = await readIdentity(sysfs, block, devicePath);
  const removable = (await readNumber(sysfs, `${block}/removable`)) === 1 || /\/usb\d+\//.test(devicePath);
  return {
    devicePath: `/dev/${name.replaceAll('!', '/')}`,
    passportDisk: {
      slot: await attachment(sysfs, block, devicePath),
      model: bounded(model ?? ''),
      ...(serial === undefined ? {} : { serial: bounded(serial) }),
      ...(wwn === undefined ? {} : { wwn: bounded(wwn) }),
      sizeBytes: sectors * sectorUnit,
      logicalSectorBytes: (await readNumber(sysfs, `${block}/queue/logical_block_size`)) ?? sectorUnit,
      physicalSectorBytes: (await readNumber(sysfs, `${block}/queue/physical_block_size`)) ?? sectorUnit,
      removable,
    },
  };
}

/** The disk's place in the device tree; undefined for a device that no hardware stands behind. */
async function diskDevicePath(sysfs: Sysfs, block: string): Promise<string | undefined> {
  const device = await resolveLink(sysfs, `${block}/device`);
  const path = device === undefined ? undefined : await resolveLink(sysfs, block);
  if (path === undefined || !path.includes('/devices/virtual/')) return path;
  // NVMe with several controllers hangs below a virtual subsystem: follow its first controller.
  const controller = (await listDirectory(sysfs, `${block}/device`)).find((name) => /^nvme\d+$/.test(name));
  return controller === undefined ? undefined : await resolveLink(sysfs, `${block}/device/${controller}`);
}

async function readIdentity(sysfs: Sysfs, block: string, devicePath: string) {
  const text = async (path: string): Promise<string | undefined> =>
    (await readAttribute(sysfs, path))?.trim() || undefined;
  const [vendor, model, serialPage, identityPage, scsiWwn, nvmeWwn] = await Promise.all([
    text(`${block}/device/vendor`),
    text(`${block}/device/model`),
    readAttributeBytes(sysfs, `${block}/device/vpd_pg80`),
    readAttributeBytes(sysfs, `${block}/device/vpd_pg83`),
    text(`${block}/device/wwid`),
    text(`${block}/wwid`),
  ]);
  const usb = /^(.*\/usb\d+(?:\/\d+-[\d.]+)+)\//.exec(devicePath)?.[1];
  const serial =
    (serialPage && parseUnitSerial(serialPage)) ??
    (await text(`${block}/device/serial`)) ??
    (await text(`${block}/serial`)) ??
    (usb === undefined ? undefined : await text(`${usb}/serial`));
  const scsiModel = vendor === 'ATA' ? model : [vendor, model].filter(Boolean).join(' ');
  return {
    model:
      (identityPage && parseAtaModel(identityPage)) ??
      // virtio gives its PCI vendor there, which is no name of a disk.
      (vendor?.startsWith('0x') ? model : scsiModel || (await text(`${block}/device/name`))),
    serial,
    wwn: scsiWwn ?? nvmeWwn,
  };
}

/**
 * Where a disk is attached, without any number that depends on the order in which drivers were loaded:
 * the controller's slot and the port, bay, target or name space below it.
 */
async function attachment(sysfs: Sysfs, block: string, devicePath: string): Promise<string> {
  const place = splitAtPciSlot(devicePath);
  if (place === undefined)
    return bounded(devicePath.replace(/^\/sys\/devices\//, '').replace(/\/block\/.*/, ''));
  const { slot, below } = place;
  const address =
    below
      .find((part) => /^\d+:\d+:\d+:\d+$/.test(part))
      ?.split(':')
      .slice(1) ?? [];

  const usbPort = below.findLast((part) => /^\d+-[\d.]+$/.test(part));
  if (usbPort !== undefined) return `${slot}/usb-${usbPort.slice(usbPort.indexOf('-') + 1)}`;

  const ata = below.find((part) => /^ata\d+$/.test(part));
  if (ata !== undefined) {
    const base = devicePath.slice(0, devicePath.indexOf(`/${ata}/`));
    const port = (await readNumber(sysfs, `${base}/${ata}/ata_port/${ata}/port_no`)) ?? Number(ata.slice(3));
    const target = address.slice(0, 2).some((part) => part !== '0') ? `.${address[1]}` : '';
    return `${slot}/ata${port}${target}`;
  }
  const sas = below.find((part) => /^end_device-/.test(part));
  if (sas !== undefined) {
    const base = devicePath.slice(0, devicePath.indexOf(`/${sas}/`));
    const bay = await readNumber(sysfs, `${base}/${sas}/sas_device/${sas}/bay_identifier`);
    if (bay !== undefined) return `${slot}/bay${bay}`;
  }
  if (address.length > 0) return `${slot}/scsi${address.join(':')}`;
  if (below.includes('nvme')) return `${slot}/ns${(await readNumber(sysfs, `${block}/nsid`)) ?? 1}`;
  if (below.includes('mmc_host')) return `${slot}/mmc`;
  return slot;
}

function bounded(text: string): string {
  return text.slice(0, 256);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
