import type { BootTarget, Machine } from './boot-decider.ts';
import { loaderFor } from './loader-name.ts';

/** Path of the boot script under the HTTP base URL; the MAC address says which station asks. */
export function bootScriptPath(mac: string): string {
  return `/boot/script.ipxe?mac=${mac}`;
}

/** Path under the HTTP base URL of a file of another system. */
export function otherFilePath(path: string): string {
  return `/boot/other/${path}`;
}

/** Path under the HTTP base URL where UEFI HTTP Boot fetches a loader. */
export function loaderPath(name: string): string {
  return `/boot/${name}`;
}

/**
 * What the `file` field of our reply says: a TFTP name for PXE firmware, a URL for UEFI HTTP Boot, and the
 * boot script's URL for iPXE, which otherwise would load itself again for ever.
 */
export function bootFileFor(machine: Machine, target: BootTarget, httpBaseUrl: string): string {
  const { firmwareKind, mac } = machine;
  const loader = loaderFor(firmwareKind, target.loader);
  if (loader === undefined) return `${httpBaseUrl}${bootScriptPath(mac)}`;
  return firmwareKind === 'uefi-http-x64' ? `${httpBaseUrl}${loaderPath(loader)}` : loader;
}
