import type { FirmwareKind } from './firmware-kind.ts';

/** Loaders of Debian's `ipxe` package; the name is also the one under which TFTP and HTTP serve it. */
export const loaderNames = ['undionly.kpxe', 'ipxe.pxe', 'snponly.efi', 'ipxe.efi'] as const;
export type LoaderName = (typeof loaderNames)[number];

/**
 * Which network driver a loader uses: the firmware's (UNDI or SNP: works on whatever the firmware could boot
 * from) or iPXE's own (for firmware whose driver is broken). A setting of a station, not of its firmware.
 */
export type LoaderDriver = 'firmware' | 'native';

const loaders = {
  bios: { firmware: 'undionly.kpxe', native: 'ipxe.pxe' },
  uefi: { firmware: 'snponly.efi', native: 'ipxe.efi' },
} as const satisfies Record<string, Record<LoaderDriver, LoaderName>>;

/** Firmware that is not iPXE yet and needs a loader. */
export type KindWithLoader = Exclude<FirmwareKind, 'ipxe-bios' | 'ipxe-uefi'>;

export function loaderFor(kind: KindWithLoader, driver: LoaderDriver = 'firmware'): LoaderName {
  return loaders[kind === 'bios' ? 'bios' : 'uefi'][driver];
}
