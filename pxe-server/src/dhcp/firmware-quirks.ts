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

/** Which of our answers: the only one there is, one without an address, or a whole one that has to win. */
export type AnswerMode = 'reservation' | 'proxy' | 'beside';

/** One firmware: how it is recognised, what is odd about it, and where that was seen. */
interface FirmwareQuirk {
  readonly recognisedBy: string;
  /** One offer says everything, and in the plainest way. */
  readonly reservation: AnswerShape;
  /** Boot information without an address, beside another server's offer; every answer of port 4011 too. */
  readonly proxy: AnswerShape;
  /** A whole answer beside another server's offer (beside-other-server.ts); absent: as in reservation mode. */
  readonly beside?: AnswerShape;
  readonly why: string;
  /** Firmware with which a machine was seen booting like this; empty: none was at hand. */
  readonly seen: readonly string[];
}

/** The only place that knows what firmware needs; `classify` in client.ts decides which row applies. */
const firmwareQuirks: Readonly<Record<FirmwareKind, FirmwareQuirk>> = {
  bios: {
    recognisedBy: 'option 93 is 0 (or `Arch:00000` in option 60), neither option 77 `iPXE` nor option 175',
    reservation: {},
    proxy: { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery },
    why: 'ROMs go looking for boot servers by multicast unless option 43 tells them not to. A plain offer without option 60 is understood by the oldest of them and makes nobody ask port 4011.',
    // Every ROM of QEMU's cards is iPXE, and iPXE says so: this row was only ever asked by datagrams made by hand.
    seen: [],
  },
  'uefi-x64': {
    recognisedBy:
      'option 93 is 7 or 9 (or `Arch:00007` in option 60), neither option 77 `iPXE` nor option 175',
    reservation: {},
    // Without option 43: some firmware ignores an offer that bypasses discovery; all of it asks port 4011 then.
    proxy: { vendorClass: 'PXEClient' },
    beside: { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery },
    why: 'With option 60 and no option 43 it asks port 4011 and stalls for a minute when nobody answers there: 4011 is always open. In reservation mode option 60 would only send it there once more.',
    seen: ['OVMF 2022.11 (EDK II): snponly.efi, ipxe.efi, shimx64.efi with signed GRUB'],
  },
  'uefi-http-x64': {
    recognisedBy: 'option 93 is 16, option 60 begins with `HTTPClient`',
    reservation: { vendorClass: 'HTTPClient' },
    proxy: { vendorClass: 'HTTPClient' },
    why: 'UEFI 2.10 section 24.7.3.1: an offer that does not say HTTPClient is dropped. The boot file is a URL.',
    seen: ['OVMF 2022.11'],
  },
  'ipxe-bios': {
    recognisedBy: 'option 93 is 0, and option 77 is `iPXE` or option 175 is there',
    reservation: { ipxe: noProxyDhcp },
    proxy: { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery, ipxe: noProxyDhcp },
    why: 'It calls itself PXEClient and would load itself for ever: its boot file is the URL of the boot script. Without sub-option 176 it waits 3 s for a proxyDHCP server.',
    seen: ['iPXE 1.0.0+git-20190125: the ROM of QEMU, undionly.kpxe'],
  },
  'ipxe-uefi': {
    recognisedBy: 'option 93 is 7, 9 or 16, and option 77 is `iPXE` or option 175 is there',
    reservation: { ipxe: noProxyDhcp },
    proxy: { vendorClass: 'PXEClient', vendorSpecific: bypassDiscovery, ipxe: noProxyDhcp },
    why: 'As iPXE on BIOS.',
    seen: ['iPXE 1.0.0+git-20190125: snponly.efi, ipxe.efi, efi-e1000e.rom'],
  },
};

export function answerShape(mode: AnswerMode, kind: FirmwareKind): AnswerShape {
  const quirk = firmwareQuirks[kind];
  return quirk[mode] ?? quirk.reservation;
}
