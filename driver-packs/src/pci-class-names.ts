/** PCI class codes that matter here, in a technician's words (PCI Code and ID Assignment, 1.1 to 1.4). */
const names: readonly (readonly [prefix: string, name: string])[] = [
  ['010601', 'SATA controller (AHCI)'],
  ['010802', 'NVMe controller'],
  ['010700', 'SAS controller'],
  ['0100', 'SCSI controller'],
  ['0101', 'IDE controller'],
  ['0104', 'RAID controller'],
  ['0105', 'ATA controller'],
  ['0106', 'SATA controller'],
  ['0107', 'SAS controller'],
  ['0108', 'non-volatile memory controller'],
  ['01', 'storage controller'],
  ['0200', 'Ethernet controller'],
  ['0280', 'wireless or other network controller'],
  ['02', 'network controller'],
  ['0805', 'SD or eMMC host controller'],
];

/** The first entry whose code begins the class, most exact first. */
export function pciClassName(pciClass: string): string {
  const entry = names.find(([prefix]) => pciClass.startsWith(prefix));
  return entry?.[1] ?? `PCI device of class ${pciClass}`;
}
