import type { FirmwareKind } from './firmware-kind.ts';
import { type Loader, type LoaderName, loaderFor } from './loader-name.ts';

/**
 * iPXE with the firmware's network driver, or with its own. No firmware tells which of the two will work on it: where
 * nobody has set a loader, they take turns until one has been heard.
 */
export type IpxeLoader = Extract<Loader, 'ipxe' | 'ipxe-native'>;
/** Firmware that has to fetch iPXE first. */
export type BareFirmware = Exclude<FirmwareKind, 'ipxe-bios' | 'ipxe-uefi'>;

/** The last iPXE that a machine's firmware fetched, whole. Times are milliseconds since 1970. */
export interface LoaderTry {
  readonly loader: IpxeLoader;
  /** When the firmware asked for the file. */
  readonly fetchedAt: number;
  /** When iPXE of this machine answered an offer or asked for its boot script; absent: never. */
  readonly heardAt?: number;
}

/** What firmware is offered now, and why. */
export interface IpxeTurn {
  readonly loader: IpxeLoader;
  readonly because: 'first' | 'heard' | 'just-fetched' | 'other-not-heard';
}

/**
 * Firmware repeats its DISCOVER (PXE 2.1: after 4, 8, 16 and 32 s) only until it has an offer, so before it fetches
 * anything; what it sends afterwards means that the loader has ended, or the machine was started again. Until this long
 * after a fetch it may be a copy of an earlier request, or firmware that loads its file twice. No machine has crashed,
 * started again and come back to the network sooner.
 */
export const sameStartMs = 3000;

/** Which of the two iPXE firmware is offered at `now`, by what it fetched last. */
export function chooseIpxe(last: LoaderTry | undefined, now: number): IpxeTurn {
  if (last === undefined) return { loader: 'ipxe', because: 'first' };
  const { loader, fetchedAt, heardAt } = last;
  if (heardAt !== undefined && heardAt >= fetchedAt) return { loader, because: 'heard' };
  // A clock that was set back counts as time that has passed.
  if (Math.abs(now - fetchedAt) < sameStartMs) return { loader, because: 'just-fetched' };
  return { loader: otherIpxe(loader), because: 'other-not-heard' };
}

/** For the journal, when it is the other one's turn. */
export function describeSecondTry(firmware: BareFirmware, { loader }: IpxeTurn): string {
  const drivers = loader === 'ipxe' ? "works with the firmware's own driver" : 'has its own drivers';
  const [tried, other] = [fileOf(firmware, otherIpxe(loader)), fileOf(firmware, loader)];
  return `${nothingHeardOf} ${tried}: offering ${other}, which ${drivers}`;
}

/** In the journal's sentence about a second try. */
export const nothingHeardOf = 'nothing was heard of the last start of';

export function otherIpxe(loader: IpxeLoader): IpxeLoader {
  return loader === 'ipxe' ? 'ipxe-native' : 'ipxe';
}

export function fileOf(firmware: BareFirmware, loader: IpxeLoader): LoaderName | '' {
  return loaderFor(firmware, loader) ?? '';
}

const ipxeLoaders: readonly IpxeLoader[] = ['ipxe', 'ipxe-native'];
const tftpFirmware = ['bios', 'uefi-x64'] as const;

/** Whose iPXE a file is; undefined: another loader, or no loader. BIOS and UEFI have files of their own. */
export function ipxeOfFile(
  name: string,
  how: 'tftp' | 'http',
): { readonly firmware: BareFirmware; readonly loader: IpxeLoader } | undefined {
  const kinds = how === 'tftp' ? tftpFirmware : (['uefi-http-x64'] as const);
  for (const firmware of kinds) {
    const loader = ipxeLoaders.find((each) => fileOf(firmware, each) === name);
    if (loader !== undefined) return { firmware, loader };
  }
  return undefined;
}
