import { RekindleError } from '#base/errors.ts';
import { isNamed } from './any-controller.ts';
import type { DirectorySession } from './directory-session.ts';
import { openDirectory, textOf } from './directory-session.ts';
import type { DomainSettings } from './domain-settings.ts';
import { parseFiletime } from './filetime.ts';
import { type RootDse, readForestControllers, readRootDse } from './read-directory.ts';

/**
 * When any controller last saw an account log on. `lastLogon` stays on the controller that saw it: all of them are
 * asked, and one that does not answer is passed over.
 */
export async function readLastLogon(
  settings: DomainSettings,
  session: DirectorySession,
  root: RootDse,
  distinguishedName: string,
): Promise<Date | undefined> {
  const controllers = await readForestControllers(session, root);
  const names = new Set([
    ...settings.controllers.map((name) => name.toLowerCase()),
    ...controllers.flatMap(({ dnsName }) => dnsName?.toLowerCase() ?? []),
  ]);
  const found = await Promise.all(
    [...names].map((name) =>
      isNamed(session.controller, name.split('.')[0] ?? '')
        ? lastLogonAt(session, distinguishedName)
        : askOther(settings, name, distinguishedName),
    ),
  );
  return found.reduce(
    (latest, at) => (at !== undefined && (latest === undefined || at > latest) ? at : latest),
    undefined,
  );
}

async function askOther(settings: DomainSettings, name: string, dn: string): Promise<Date | undefined> {
  try {
    await using session = await openDirectory(name, settings);
    await readRootDse(session);
    return await lastLogonAt(session, dn);
  } catch (error) {
    if (error instanceof RekindleError && error.code === 'store-unreachable') return undefined;
    throw error;
  }
}

async function lastLogonAt(session: DirectorySession, base: string): Promise<Date | undefined> {
  const [entry] = await session.search({
    doing: 'Reading when the account last logged on',
    base,
    scope: 'base',
    attributes: ['lastLogon'],
  });
  return parseFiletime(textOf(entry, 'lastLogon') ?? '0');
}
