import type { Loader } from '#pxe-server/boot/loader-name.ts';

/** Which firmware, loader and network a boot rehearsal puts together. */

export interface FirmwareAndLoader {
  readonly firmware: 'bios' | 'uefi' | 'uefi-http' | 'uefi-secure-boot';
  /** What the station is set to; absent: nothing is set. */
  readonly loader?: Loader;
  /** The first program is iPXE that fetches undionly.kpxe, because every ROM of QEMU's cards is iPXE itself. */
  readonly chained?: boolean;
  readonly title: string;
}

export const firmwareAndLoaders = {
  'bios-rom': { firmware: 'bios', title: 'BIOS, iPXE in the ROM of the card' },
  'bios-undionly': { firmware: 'bios', chained: true, title: 'BIOS, chained through undionly.kpxe' },
  'bios-pxelinux': { firmware: 'bios', loader: 'pxelinux', title: 'BIOS, pxelinux.0, everything by TFTP' },
  'bios-lpxelinux': {
    firmware: 'bios',
    loader: 'lpxelinux',
    title: 'BIOS, lpxelinux.0, large files by HTTP',
  },
  'uefi-snponly': { firmware: 'uefi', loader: 'ipxe', title: 'UEFI PXE, snponly.efi' },
  'uefi-ipxe': { firmware: 'uefi', loader: 'ipxe-native', title: 'UEFI PXE, ipxe.efi' },
  'uefi-http': { firmware: 'uefi-http', title: 'UEFI HTTP Boot, snponly.efi' },
  'uefi-secure-boot': {
    firmware: 'uefi-secure-boot',
    title: 'UEFI PXE with Secure Boot, shim and signed GRUB',
  },
} as const satisfies Record<string, FirmwareAndLoader>;
export type BootCellName = keyof typeof firmwareAndLoaders;
export const bootCellNames = Object.keys(firmwareAndLoaders) as BootCellName[];

export const labNetworkModes = ['reservation', 'proxy', 'relay', 'proxy-relay'] as const;
export type LabNetworkMode = (typeof labNetworkModes)[number];

export const networkTitles: Readonly<Record<LabNetworkMode, string>> = {
  reservation: 'we give the addresses',
  proxy: 'a foreign dnsmasq gives the addresses',
  relay: 'we give the addresses, through a relay with option 82',
  'proxy-relay': 'a foreign dnsmasq gives the addresses, through a relay with option 82',
};
