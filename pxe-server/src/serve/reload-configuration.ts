import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from '../config/configuration.ts';

/** Keys behind which there are sockets, an open folder, or a value that was read once. */
const fixedAtStart = ['interface', 'address', 'tftp', 'http', 'https', 'store', 'journal'] as const;

/** Keys whose value differs and that count only after a restart. */
export function keysThatNeedRestart(current: Configuration, next: Configuration): string[] {
  return fixedAtStart.filter((key) => !isDeepStrictEqual(current[key], next[key]));
}

/** Everything else is taken over in the object that every part of the service reads at each request. */
export function replaceConfiguration(current: Configuration, next: Configuration): void {
  const kept = Object.fromEntries(fixedAtStart.map((key) => [key, current[key]]));
  Object.assign(current, structuredClone(next), kept);
}
