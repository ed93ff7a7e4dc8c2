import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { SecretKey } from '#images/format/minisign.ts';

/**
 * The one-time key of a job's first boot. It is derived, not kept: a copy of the state opens nothing, and nothing
 * has to be erased but the permission to use it (`first_boot_open`).
 * HKDF-SHA-256 (RFC 5869) over the site's signing seed, salted with the job.
 */
export function firstBootKey(signingKey: Pick<SecretKey, 'seed'>, jobId: string): Buffer {
  return Buffer.from(hkdfSync('sha256', signingKey.seed, jobId, 'rekindle first-boot report', 32));
}

/** HMAC-SHA-256 (RFC 2104), lower-case hex. */
export function macOf(key: Uint8Array, bytes: Uint8Array | string): string {
  return createHmac('sha256', key).update(bytes).digest('hex');
}

export function isMacOf(key: Uint8Array, bytes: Uint8Array, mac: string): boolean {
  const right = Buffer.from(macOf(key, bytes));
  const given = Buffer.from(mac);
  return right.length === given.length && timingSafeEqual(right, given);
}

/** What the service answers to a report, so that the agent knows who got it. */
export function acknowledgement(key: Uint8Array, sequence: number, last: boolean): string {
  return macOf(key, `received ${sequence} ${last}`);
}
