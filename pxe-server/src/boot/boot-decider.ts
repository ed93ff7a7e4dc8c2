import type { FirmwareKind } from './firmware-kind.ts';
import type { Ipv4Address } from './ipv4-address.ts';
import type { Loader } from './loader-name.ts';
import type { MacAddress } from './mac-address.ts';

/** Whoever talks to us during boot, as its own packets describe it. Nothing here is proven. */
export interface Machine {
  readonly mac: MacAddress;
  /** SMBIOS system UUID, lower case as Linux prints `product_uuid`; absent when the firmware sends none. */
  readonly uuid?: string;
  readonly firmwareKind: FirmwareKind;
}

/**
 * What a machine of ours boots. All kinds get a loader and a boot script: a firmware that gets no answer
 * waits a minute or more before it tries its disk, and a script that says `local disk` takes seconds.
 */
export type BootTarget = (
  | { readonly kind: 'runtime'; readonly purpose: 'recovery' | 'enrolment' }
  /** Nobody asked for it yet: a menu, which starts the local disk unless somebody presses a key. */
  | { readonly kind: 'menu' }
  | { readonly kind: 'local-disk' }
) & {
  /** `ipxe` unless the station or the site says otherwise, or it is the turn of `ipxe-native` (second-try.ts). */
  readonly loader?: Loader;
  /** Then why, as a sentence for the journal. */
  readonly secondTry?: string;
};

/** Reservation mode: the address that belongs to one station. */
export interface StationAddress {
  readonly kind: 'fixed';
  readonly ip: Ipv4Address;
  /** Absent: the netmask of the interface that we serve. */
  readonly netmask?: Ipv4Address;
  readonly router?: Ipv4Address;
  readonly dns?: readonly Ipv4Address[];
  readonly hostName?: string;
}

/** Reservation mode: an unknown machine in an open enrolment window; the DHCP server picks a pool address. */
export interface EnrolmentAddress {
  readonly kind: 'enrolment-pool';
}

/** The machine gets silence; the reason goes to the log and the journal, never onto the wire. */
export interface NotForUs {
  readonly kind: 'not-for-us';
  readonly reason: string;
}

/**
 * Policy behind the boot protocols: the handlers know DHCP, the decider knows stations. Both questions are
 * asked several times in one boot (DISCOVER, REQUEST, 4011, boot script; once by the firmware, once by iPXE)
 * and must be answered from memory or an embedded database, without waiting and without side effects.
 */
export interface BootDecider {
  targetFor(machine: Machine): BootTarget | NotForUs;
  /** Asked in reservation mode only, also for plain DHCP clients: the runtime and the restored system. */
  addressFor(mac: MacAddress): StationAddress | EnrolmentAddress | NotForUs;
}
