import { RekindleError } from '#base/errors.ts';
import { type StationName, stationNameSchema } from './image-manifest.ts';

/** `OS-SRV-1A_20261120T020000Z`: the image's folder; `OS-SRV-1A@20261120T020000Z` is how people call it. */

const utcPattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

export interface ImageName {
  readonly station: StationName;
  /** 20261120T020000Z */
  readonly utc: string;
}

export interface ImageRef {
  readonly station: StationName;
  /** 20261120T020000Z, or `latest` */
  readonly utc: string;
}

/** 2026-11-20T02:00:00.000Z -> 20261120T020000Z */
export const formatUtc = (time: Date): string =>
  `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;

/** Null for anything that is no moment in time: 20261399T… has the right digits only. */
export function parseUtc(text: string): Date | null {
  const match = utcPattern.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) || formatUtc(time) !== text ? null : time;
}

export const formatImageName = ({ station, utc }: ImageName): string => `${station}_${utc}`;
export const formatImageRef = ({ station, utc }: ImageRef): string => `${station}@${utc}`;

export function parseImageName(text: string): ImageName | null {
  const at = text.lastIndexOf('_');
  const station = stationNameSchema.safeParse(text.slice(0, Math.max(at, 0)));
  const utc = text.slice(at + 1);
  return at > 0 && station.success && parseUtc(utc) !== null ? { station: station.data, utc } : null;
}

/** @param noun what is named, for messages. @throws RekindleError `usage` */
export function parseImageRef(text: string, noun = 'image'): ImageRef {
  const at = text.indexOf('@');
  const station = stationNameSchema.safeParse(text.slice(0, Math.max(at, 0)));
  const utc = text.slice(at + 1);
  if (at > 0 && station.success && (utc === 'latest' || parseUtc(utc) !== null))
    return { station: station.data, utc };
  throw new RekindleError('usage', `"${text}" is no ${noun}`, {
    next: `Name ${noun === 'image' ? 'an' : 'a'} ${noun} as STATION@latest or STATION@20261120T020000Z.`,
  });
}

/** Name of a disk's index in the image's folder. */
export const diskIndexName = (station: StationName, disk: number): string => `${station}_disk${disk}.caibx`;
