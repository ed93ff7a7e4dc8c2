import type { Machine } from '../boot/boot-decider.ts';
import { isIpxe } from '../boot/firmware-kind.ts';
import type { Loader, LoaderName } from '../boot/loader-name.ts';
import {
  type BareFirmware,
  chooseIpxe,
  describeSecondTry,
  fileOf,
  type IpxeTurn,
  otherIpxe,
} from '../boot/second-try.ts';
import type { State } from '../site/state.ts';
import { readTries, readTry, type TryOfMachine } from './loader-tries.ts';
import { loaderOf, type Station } from './station.ts';

/**
 * Whether the two iPXE take turns. A loader that a person has set, for the station or as another than the default for
 * the site, and signed GRUB of a passport that says Secure Boot, is what it is.
 */
export function takesTurns(station: Pick<Station, 'loader' | 'passport'> | undefined, site: Loader): boolean {
  if (station === undefined) return site === 'ipxe';
  return station.loader === undefined && loaderOf(station, site) === 'ipxe';
}

/** What the firmware of a machine loads at `now`; the sentence is there when that is a second try. */
export function loaderNow(
  state: State,
  { mac, firmwareKind }: Machine,
  station: Station | undefined,
  site: Loader,
  now = Date.now(),
): { readonly loader: Loader; readonly secondTry?: string } {
  const loader = station === undefined ? site : loaderOf(station, site);
  if (isIpxe(firmwareKind) || !takesTurns(station, site)) return { loader };
  const turn = chooseIpxe(readTry(state, mac, firmwareKind), now);
  if (turn.because !== 'other-not-heard') return { loader: turn.loader };
  return { loader: turn.loader, secondTry: describeSecondTry(firmwareKind, turn) };
}

/** What one network card of a station gets by now, for whoever asks. */
export interface CardTurn {
  readonly mac: string;
  readonly firmware: BareFirmware;
  readonly file: LoaderName | '';
  readonly because: IpxeTurn['because'];
  /** The other file, which its firmware fetched last and which was not heard. */
  readonly failed: LoaderName | '' | null;
  readonly fetchedAt: Date;
}

/** The cards that have fetched iPXE; the others get the first try. Empty where nothing takes turns. */
export function turnsOf(state: State, station: Station, site: Loader, now = Date.now()): CardTurn[] {
  if (!takesTurns(station, site)) return [];
  const turnOf = (mac: string, last: TryOfMachine): CardTurn => {
    const { firmware } = last;
    const { loader, because } = chooseIpxe(last, now);
    const failed = because === 'other-not-heard' ? fileOf(firmware, otherIpxe(loader)) : null;
    const fetchedAt = new Date(last.fetchedAt);
    return { mac, firmware, file: fileOf(firmware, loader), because, failed, fetchedAt };
  };
  return station.passport.networkCards.flatMap(({ mac }) =>
    readTries(state, mac).map((last) => turnOf(mac, last)),
  );
}
