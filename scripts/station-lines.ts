import type { ImageFit } from '#pxe-server/stations/fitting-images.ts';
import { describeRehearsal, type RehearsalState } from '#pxe-server/stations/last-rehearsal.ts';
import type { Sighting } from '#pxe-server/stations/sightings.ts';
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
