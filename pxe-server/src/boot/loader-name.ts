import type { FirmwareKind } from './firmware-kind.ts';

/**
 * What the firmware loads: iPXE with the firmware's own network driver (works on whatever the firmware could boot from)
 * or with its own drivers (for firmware whose driver is broken); Debian's GRUB behind shim, signed for Secure Boot; or
 * PXELINUX, all by TFTP or the large files by HTTP, for ROMs on which iPXE fails. A setting of a station, else of the
 * site: no firmware says by DHCP whether Secure Boot is on.
 */
export const loaders = ['ipxe', 'ipxe-native', 'signed-grub', 'pxelinux', 'lpxelinux'] as const;
export type Loader = (typeof loaders)[number];

/** Debian's files, by the names under which TFTP and HTTP serve them, and where their packages put them. */
export const debianLoaders = {
  'undionly.kpxe': ['/usr/lib/ipxe/undionly.kpxe', 'ipxe'],
  'ipxe.pxe': ['/usr/lib/ipxe/ipxe.pxe', 'ipxe'],
  'snponly.efi': ['/usr/lib/ipxe/snponly.efi', 'ipxe'],
  'ipxe.efi': ['/usr/lib/ipxe/ipxe.efi', 'ipxe'],
  'shimx64.efi': ['/usr/lib/shim/shimx64.efi.signed', 'shim-signed'],
  // Shim looks for these two beside itself.
  'grubx64.efi': ['/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed', 'grub-efi-amd64-signed'],
  'mmx64.efi': ['/usr/lib/shim/mmx64.efi.signed', 'shim-signed'],
  'pxelinux.0': ['/usr/lib/PXELINUX/pxelinux.0', 'pxelinux'],
  'lpxelinux.0': ['/usr/lib/PXELINUX/lpxelinux.0', 'pxelinux'],
  // PXELINUX looks for the first beside itself; the others are its menu and the start of the local disk.
  'ldlinux.c32': ['/usr/lib/syslinux/modules/bios/ldlinux.c32', 'syslinux-common'],
  'menu.c32': ['/usr/lib/syslinux/modules/bios/menu.c32', 'syslinux-common'],
  'chain.c32': ['/usr/lib/syslinux/modules/bios/chain.c32', 'syslinux-common'],
  'libutil.c32': ['/usr/lib/syslinux/modules/bios/libutil.c32', 'syslinux-common'],
  'libcom32.c32': ['/usr/lib/syslinux/modules/bios/libcom32.c32', 'syslinux-common'],
} as const satisfies Record<string, readonly [path: string, debianPackage: string]>;

export type LoaderName = keyof typeof debianLoaders;
export const loaderNames = Object.keys(debianLoaders) as LoaderName[];

const bios: Readonly<Record<Loader, LoaderName>> = {
  ipxe: 'undionly.kpxe',
  'ipxe-native': 'ipxe.pxe',
  'signed-grub': 'undionly.kpxe',
  pxelinux: 'pxelinux.0',
  lpxelinux: 'lpxelinux.0',
};
const uefi: Readonly<Record<Loader, LoaderName>> = {
  ipxe: 'snponly.efi',
  'ipxe-native': 'ipxe.efi',
  'signed-grub': 'shimx64.efi',
  pxelinux: 'snponly.efi',
  lpxelinux: 'snponly.efi',
};

/**
 * The file that is loaded first. iPXE that is there already (in a ROM, or loaded by us) needs none, but for a station
 * whose loader is another program: what it then loads makes no DHCP request of its own, so there is no loop.
 */
export function loaderFor(kind: FirmwareKind, loader: Loader = 'ipxe'): LoaderName | undefined {
  const name = kind === 'bios' || kind === 'ipxe-bios' ? bios[loader] : uefi[loader];
  const isForIpxe = name === 'shimx64.efi' || name === 'pxelinux.0' || name === 'lpxelinux.0';
  return (kind === 'ipxe-bios' || kind === 'ipxe-uefi') && !isForIpxe ? undefined : name;
}

/** Signed GRUB takes its network settings from the firmware's DHCP answer, whole, and loads by TFTP only. */
export function isSignedGrub(kind: FirmwareKind, loader: Loader | undefined): boolean {
  return loaderFor(kind, loader) === 'shimx64.efi';
}
