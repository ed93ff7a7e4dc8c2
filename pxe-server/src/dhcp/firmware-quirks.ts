import type { FirmwareKind } from '../boot/firmware-kind.ts';

interface Architecture {
  readonly name: string;
  /** Absent: known, but we have no loader for it. */
  readonly firmwareKind?: 'bios' | 'uefi-x64' | 'uefi-http-x64';
}

/**
 * IANA "Processor Architecture Types" (RFC 4578 section 2.1 and its registry). 7 and 9 both mean x64: the RFC
 * gave 7 to EBC and 9 to x64, firmware did it the other way round, and the registry followed the firmware.
 */
const architectures: Readonly<Record<number, Architecture>> = {
  0: { name: 'x86 BIOS', firmwareKind: 'bios' },
  6: { name: 'x86 UEFI' },
  7: { name: 'x64 UEFI', firmwareKind: 'uefi-x64' },
  9: { name: 'x64 UEFI, as numbered by RFC 4578', firmwareKind: 'uefi-x64' },
  10: { name: 'ARM 32 UEFI' },
  11: { name: 'ARM 64 UEFI' },
  15: { name: 'x86 UEFI HTTP' },
  16: { name: 'x64 UEFI HTTP', firmwareKind: 'uefi-http-x64' },
  18: { name: 'ARM 32 UEFI HTTP' },
  19: { name: 'ARM 64 UEFI HTTP' },
};

export function architectureOf(number: number): Architecture | undefined {
  return architectures[number];
}

/** The odd parts of an answer, which depend on the firmware and on nothing else. */
export interface AnswerShape {
  /** Option 60. Without it in a proxy offer the firmware takes us for a broken address server. */
  readonly vendorClass?: 'PXEClient' | 'HTTPClient';
  /** Option 43, already encoded. */
  readonly vendorSpecific?: Uint8Array;
  /** Option 175, already encoded. */
  readonly ipxe?: Uint8Array;
}

/** PXE 2.1 PXE_DISCOVERY_CONTROL (43, sub-option 6), bit 3: no boot server discovery, take the offer's file. */
const bypassDiscovery = Uint8Array.of(6, 1, 8, 255);
/** iPXE sub-option 176 = 1, no-pxedhcp: do not wait 3 s for a proxyDHCP server that does not exist. */
const noProxyDhcp = Uint8Array.of(176, 1, 1);

/**
 * Reservation mode, where one offer says everything. PXE firmware gets a plain DHCP answer with a boot file and
 * no option 60, which even the oldest ROM understands and which makes nobody ask port 4011.
 */
const fullAnswers: Readonly<Record<FirmwareKind, AnswerShape>> = {
  bios: {},
  'uefi-x64': {},
  // UEFI 2.10 section 24.7.3.1: an HTTP boot offer must say HTTPClient, or the firmware drops it.
  'uefi-http-x64': { vendorClass: 'HTTPClient' },
  'ipxe-bios': { ipxe: noProxyDhcp },
  'ipxe-uefi': { ipxe: noProxyDhcp },
};

/** Proxy mode, and every answer of port 4011: boot information without an address. */
const proxyAnswers: Readonly<Record<FirmwareKind, AnswerShape>> = {
  // BIOS ROMs go looking for boot servers by multicast unless they are told not to.
  bios: { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery },
  // Some UEFI firmware ignores an offer that bypasses discovery; all of it asks port 4011 when 43 is absent.
  'uefi-x64': { vendorClass: 'PXEClient' },
  'uefi-http-x64': { vendorClass: 'HTTPClient' },
  'ipxe-bios': { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery, ipxe: noProxyDhcp },
  'ipxe-uefi': { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery, ipxe: noProxyDhcp },
};

export function answerShape(mode: 'reservation' | 'proxy', kind: FirmwareKind): AnswerShape {
  return (mode === 'reservation' ? fullAnswers : proxyAnswers)[kind];
}
