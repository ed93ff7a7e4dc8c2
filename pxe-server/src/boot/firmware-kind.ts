/**
 * What is talking to us during boot, as far as it decides which boot file fits:
 * - `bios`, `uefi-x64`: the firmware's own PXE stack, loads by TFTP;
 * - `uefi-http-x64`: UEFI HTTP Boot, loads by HTTP from a URL;
 * - `ipxe-bios`, `ipxe-uefi`: iPXE, from a ROM or loaded by us before, runs a boot script.
 */
export type FirmwareKind = 'bios' | 'uefi-x64' | 'uefi-http-x64' | 'ipxe-bios' | 'ipxe-uefi';

export function isIpxe(kind: FirmwareKind): kind is 'ipxe-bios' | 'ipxe-uefi' {
  return kind === 'ipxe-bios' || kind === 'ipxe-uefi';
}
