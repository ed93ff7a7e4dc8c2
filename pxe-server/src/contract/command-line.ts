/**
 * Kernel command line of the runtime: everything the boot script passes on. Nothing here is secret
 * (DESIGN section 1, rule 7). The words of the station's network settings are in station-network.ts.
 */
export const commandLineKeys = {
  /** Base URL of the API, e.g. https://10.77.0.1:8443 */
  server: 'rekindle.server',
  /** MAC of the network card that the firmware booted from; the runtime uses that card and no other. */
  bootMac: 'rekindle.mac',
  /** recovery | enrolment */
  purpose: 'rekindle.purpose',
  /** `medium`: the image is on the medium that this machine booted from, and no network is asked for. */
  imageFrom: 'rekindle.image-from',
  /** A word without a value: this virtual machine poses as the station in a rehearsal. */
  standIn: 'rekindle.stand-in',
  /** A word without a value: stop before the confirmation, write nothing. */
  dryRun: 'rekindle.dry-run',
} as const;

/**
 * Words for the kernel itself, which does nothing here that nobody asks for (Documentation/admin-guide/kernel-parameters):
 * no messages on the technician's screen, no zeros in memory that is written over at once, no self-tests of its ciphers
 * (upstream's configuration leaves these out, Debian's does not). One such test, of crypto_kdf108_init, waits until the
 * whole initramfs is unpacked, and lets the rest of the kernel's start wait with it.
 */
export const kernelWords: readonly string[] = [
  'quiet',
  'init_on_alloc=0',
  'cryptomgr.notests',
  'initcall_blacklist=crypto_kdf108_init',
];
