import type { Loader } from '#pxe-server/boot/loader-name.ts';
import type { ImageFit } from '#pxe-server/stations/fitting-images.ts';
import { describeRehearsal, type RehearsalState } from '#pxe-server/stations/last-rehearsal.ts';
import { type CardTurn, takesTurns } from '#pxe-server/stations/loader-turn.ts';
import type { Sighting } from '#pxe-server/stations/sightings.ts';
import { loaderOf, type Station } from '#pxe-server/stations/station.ts';
import { formatTime } from './format-time.ts';

/** What `rekindle station list` says of a station, and why its driver pack is red. */
export function formatStationRow(station: {
  readonly name: string;
  readonly address: string | null;
  readonly system: string;
  readonly driverPack: { readonly state: 'green' | 'red'; readonly reasons: readonly string[] };
  readonly drift: readonly unknown[] | null;
  readonly armed: unknown;
  readonly rehearsal: RehearsalState;
}): string[] {
  const { name, address, system, driverPack } = station;
  const state = [
    driverPack.state === 'green' ? 'driver pack green' : 'driver pack RED',
    station.drift === null || station.drift.length === 0 ? '' : 'hardware differs',
    station.armed === null ? '' : 'armed',
    describeRehearsal(station.rehearsal),
  ].filter((text) => text !== '');
  return [
    `${name.padEnd(20)} ${(address ?? '-').padEnd(16)} ${system}  ${state.join(', ')}`,
    ...driverPack.reasons.map((reason) => `  ${reason}`),
  ];
}

/** Parts of `rekindle station show` that take more than a line. */

export function formatPackState(
  { state, reasons }: { readonly state: 'green' | 'red'; readonly reasons: readonly string[] },
  station: string,
): string[] {
  if (state === 'green') return ['  driver pack green'];
  return [
    '  driver pack RED',
    ...reasons.map((reason) => `    ${reason}`),
    `    Next: rekindle driver-pack check ${station}, rekindle driver-pack build ${station}`,
  ];
}

/** What its firmware gets, and why: who set it, or which of the two iPXE was heard. */
export function formatLoader(station: Station, site: Loader, turns: readonly CardTurn[]): string[] {
  const loader = loaderOf(station, site);
  if (!takesTurns(station, site)) {
    const why =
      station.loader !== undefined
        ? 'set by hand'
        : loader === site
          ? 'as the site says (boot.loader)'
          : 'because its passport says Secure Boot';
    return [`  loader      ${loader}, ${why}`];
  }
  return [
    "  loader      ipxe, the firmware's network driver first; if nothing is heard of a start, the next one tries iPXE's own",
    ...turns.map((turn) => `    ${turn.mac} (${turn.firmware}) gets ${turn.file}: ${reasonOf(turn)}`),
  ];
}

function reasonOf({ because, failed, fetchedAt }: CardTurn): string {
  const at = formatTime(fetchedAt);
  switch (because) {
    case 'first':
    case 'just-fetched':
      return `fetched a moment ago, at ${at}`;
    case 'heard':
      return `its last start, at ${at}, was heard`;
    case 'other-not-heard':
      return `nothing was heard of the last start of ${failed}, at ${at}`;
  }
}

/** Since when what differs from the registered passport, and which images still fit. */
export function formatHardware(sighting: Sighting | undefined, images: readonly ImageFit[]): string[] {
  const seen =
    sighting === undefined
      ? ['  hardware    not seen since it was registered']
      : sighting.drift.length === 0
        ? [`  hardware    as registered, last seen ${formatTime(sighting.seenAt)}`]
        : [
            `  hardware    DIFFERS, last seen ${formatTime(sighting.seenAt)}`,
            ...sighting.drift.map(
              ({ since, severity, sentence }) => `    since ${formatTime(since)} (${severity}): ${sentence}`,
            ),
          ];
  return [
    ...seen,
    ...images.map(({ ref, fits, reasons }) =>
      fits ? `  image       ${ref} fits` : `  image       ${ref} DOES NOT FIT: ${reasons.join(' ')}`,
    ),
  ];
}
