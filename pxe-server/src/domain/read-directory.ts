import { RekindleError } from '#base/errors.ts';
import { parseGuid } from '#images/format/partition-table/guid.ts';
import {
  bytesOf,
  type DirectorySession,
  dnsNameOfContext,
  escapeFilter,
  textOf,
} from './directory-session.ts';
import { parseFiletime } from './filetime.ts';
import type { ComputerAccount } from './predict-trust.ts';

/** Facts of Active Directory over LDAPS. Every function here only reads. */

/** What a controller says of itself (RFC 4512 5.1, MS-ADTS 3.1.1.3.2). */
export interface RootDse {
  /** DNS name of the controller. */
  readonly controller: string;
  readonly domain: string;
  readonly domainContext: string;
  readonly configurationContext: string;
  readonly schemaContext: string;
  readonly highestCommittedUsn: bigint;
}

export async function readRootDse(session: DirectorySession): Promise<RootDse> {
  const doing = 'Reading what the controller says of itself';
  const [entry] = await session.search({
    doing,
    base: '',
    scope: 'base',
    attributes: [
      ...['dnsHostName', 'defaultNamingContext', 'configurationNamingContext', 'schemaNamingContext'],
      'highestCommittedUSN',
    ],
  });
  const text = (attribute: string): string => {
    const value = textOf(entry, attribute);
    if (value !== undefined) return value;
    throw new RekindleError('store-unreachable', `${doing}: ${session.controller} has no ${attribute}`, {
      next: 'Is it a domain controller?',
    });
  };
  const domainContext = text('defaultNamingContext');
  return {
    controller: text('dnsHostName'),
    domain: dnsNameOfContext(domainContext),
    domainContext,
    configurationContext: text('configurationNamingContext'),
    schemaContext: text('schemaNamingContext'),
    highestCommittedUsn: BigInt(text('highestCommittedUSN')),
  };
}

/** The controller's clock, whole seconds: `20261128043336.0Z` (`currentTime`, MS-ADTS 3.1.1.3.2). */
export async function readClock(session: DirectorySession): Promise<Date> {
  const doing = 'Reading the clock of the controller';
  const [entry] = await session.search({ doing, base: '', scope: 'base', attributes: ['currentTime'] });
  const [, year, month, day, hours, minutes, seconds] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.\d+Z$/.exec(textOf(entry, 'currentTime') ?? '') ?? [];
  const time = new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  if (!Number.isNaN(time.getTime())) return time;
  throw new RekindleError('store-unreachable', `${doing} ${session.controller}: it does not tell`, {
    next: 'Is it a domain controller?',
  });
}

/** Undefined: the domain has no such account. */
export async function readComputerAccount(
  session: DirectorySession,
  { domainContext }: RootDse,
  computerName: string,
): Promise<ComputerAccount | undefined> {
  const [entry] = await session.search({
    doing: `Reading the computer account ${computerName}`,
    base: domainContext,
    scope: 'sub',
    // sAMAccountName of a computer is its name, at most 15 characters, and a dollar sign.
    filter: `(&(objectClass=computer)(sAMAccountName=${escapeFilter(accountName(computerName))}))`,
    // Asked for by name: constructed for whoever asks (MS-ADTS 3.1.1.4.5.17).
    attributes: ['pwdLastSet', 'userAccountControl', 'allowedAttributesEffective'],
  });
  if (entry === undefined) return undefined;
  return {
    distinguishedName: entry.dn,
    passwordLastSet: parseFiletime(textOf(entry, 'pwdLastSet') ?? '0'),
    userAccountControl: Number(textOf(entry, 'userAccountControl') ?? 0),
    writable: [entry['allowedAttributesEffective']].flat().some((name) => String(name) === 'pwdLastSet'),
  };
}

function accountName(computerName: string): string {
  return `${computerName.slice(0, 15).toUpperCase()}$`;
}

/** A controller of the forest, by its nTDSDSA object. */
export interface ForestController {
  /** DN of `CN=NTDS Settings,CN=<name>,…`: what fSMORoleOwner names. */
  readonly settings: string;
  readonly computerName: string;
  readonly dnsName: string | undefined;
  readonly invocationId: string;
}

export async function readForestControllers(
  session: DirectorySession,
  { configurationContext }: RootDse,
): Promise<ForestController[]> {
  const sites = { base: `CN=Sites,${configurationContext}`, scope: 'sub' } as const;
  const settings = await session.search({
    ...sites,
    doing: 'Reading the controllers of the forest',
    filter: '(objectClass=nTDSDSA)',
    attributes: ['invocationId'],
    binary: ['invocationId'],
  });
  const servers = await session.search({
    ...sites,
    doing: 'Reading the names of the controllers',
    filter: '(objectClass=server)',
    attributes: ['cn', 'dNSHostName'],
  });
  return settings.flatMap((entry): ForestController[] => {
    const invocationId = bytesOf(entry, 'invocationId');
    const server = servers.find(({ dn }) => entry.dn.toLowerCase().endsWith(`,${dn.toLowerCase()}`));
    const computerName = textOf(server, 'cn');
    // An object that is being made or removed has not all of it.
    if (invocationId === undefined || computerName === undefined) return [];
    return [
      {
        settings: entry.dn,
        computerName,
        dnsName: textOf(server, 'dNSHostName'),
        invocationId: parseGuid(invocationId),
      },
    ];
  });
}

/** Days that the forest remembers deleted objects. */
export async function readTombstoneLifetime(
  session: DirectorySession,
  { configurationContext }: RootDse,
): Promise<number> {
  const [entry] = await session.search({
    doing: 'Reading the tombstone lifetime',
    base: `CN=Directory Service,CN=Windows NT,CN=Services,${configurationContext}`,
    scope: 'base',
    attributes: ['tombstoneLifetime'],
  });
  // Newer forests have 180 written there; absent means 60 (MS-ADTS 6.1.1.2.4.1.1).
  return Number(textOf(entry, 'tombstoneLifetime') ?? 60);
}
