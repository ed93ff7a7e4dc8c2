import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { directoryFailure, openDirectory } from './directory-session.ts';
import type { DomainSettings } from './domain-settings.ts';

/** The proof of replication that nobody can argue with: something new here is there after a while. */
export interface TestObjectRequest {
  /** DNS names of the two controllers. */
  readonly from: string;
  readonly to: string;
  /** Container in which the account may create and delete contacts. */
  readonly container: string;
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

/** Makes a contact on one controller, waits for it on the other, removes it. @throws RekindleError */
export async function replicateTestObject(
  settings: DomainSettings,
  { from, to, container, seconds, signal }: TestObjectRequest,
): Promise<boolean> {
  const name = `rekindle-${randomUUID()}`;
  const dn = `CN=${name},${container}`;
  await using source = await openDirectory(from, settings);
  await using target = await openDirectory(to, settings);
  try {
    await source.client.add(dn, {
      objectClass: ['contact'],
      description: 'Proof of replication; may be deleted.',
    });
  } catch (cause) {
    throw directoryFailure(`Making a test object in ${container} on ${from}`, cause);
  }
  try {
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end && signal?.aborted !== true) {
      const found = await target.search({
        doing: 'Looking for the test object',
        base: dn,
        scope: 'base',
        attributes: ['cn'],
      });
      if (found.length > 0) return true;
      await sleep(500);
    }
    return false;
  } finally {
    await source.client.del(dn).catch(() => undefined);
  }
}
