import type { ImageFit } from '#pxe-server/stations/fitting-images.ts';
import type { Sighting } from '#pxe-server/stations/sightings.ts';

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
  const day = (date: Date): string => date.toISOString().slice(0, 16).replace('T', ' ');
  const seen =
    sighting === undefined
      ? ['  hardware    not seen since it was registered']
      : sighting.drift.length === 0
        ? [`  hardware    as registered, last seen ${day(sighting.seenAt)} UTC`]
        : [
            `  hardware    DIFFERS, last seen ${day(sighting.seenAt)} UTC`,
            ...sighting.drift.map(
              ({ since, severity, sentence }) => `    since ${day(since)} (${severity}): ${sentence}`,
            ),
          ];
  return [
    ...seen,
    ...images.map(({ ref, fits, reasons }) =>
      fits ? `  image       ${ref} fits` : `  image       ${ref} DOES NOT FIT: ${reasons.join(' ')}`,
    ),
  ];
}
