import {
  Client,
  type Entry,
  InsufficientAccessError,
  InvalidCredentialsError,
  NoSuchObjectError,
} from 'ldapts';
import { RekindleError } from '#base/errors.ts';
import type { DomainSettings } from './domain-settings.ts';

export interface DirectorySession extends AsyncDisposable {
  /** DNS name of the controller that is asked. */
  readonly controller: string;
  /** Entries below `base`; values as text, those named in `binary` as bytes. An absent base is no entry. */
  search(query: DirectoryQuery): Promise<Entry[]>;
  readonly client: Client;
}

export interface DirectoryQuery {
  readonly doing: string;
  readonly base: string;
  readonly scope: 'base' | 'one' | 'sub';
  /** RFC 4515; values in it are the caller's to escape (`escapeFilter`). */
  readonly filter?: string;
  readonly attributes: readonly string[];
  readonly binary?: readonly string[];
}

const connectMs = 5_000;
const operationMs = 20_000;
const ldapsPort = 636;

/**
 * Opens LDAPS to one controller: its certificate has to be of the site's domain CA and carry its name. Plain LDAP is
 * not spoken. @throws RekindleError `store-unreachable` (does not answer, wrong certificate), `usage` (refused)
 */
export async function openDirectory(
  controller: string,
  { domain, caCertificate, credentials }: Pick<DomainSettings, 'domain' | 'caCertificate' | 'credentials'>,
): Promise<DirectorySession> {
  const user = `${credentials.account}@${domain}`;
  const client = new Client({
    url: `ldaps://${controller}:${ldapsPort}`,
    connectTimeout: connectMs,
    timeout: operationMs,
    // Names of AD objects hold what the strict grammar does not know.
    strictDN: false,
    tlsOptions: { ca: caCertificate, servername: controller, minVersion: 'TLSv1.2' },
  });
  try {
    await client.bind(user, credentials.password);
  } catch (cause) {
    const itsDomain = cause instanceof InvalidCredentialsError ? await domainOf(client) : undefined;
    await client.unbind().catch(() => undefined);
    if (itsDomain !== undefined && itsDomain !== domain.toLowerCase()) {
      throw new RekindleError(
        'usage',
        `Logging on to ${controller} as ${user}: it is a controller of ${itsDomain}, not of ${domain}`,
        { next: 'Correct `directory` in the hook plan of the station.' },
      );
    }
    throw connectFailure(controller, user, cause);
  }
  return {
    controller,
    client,
    search: async ({ doing, base, scope, filter = '(objectClass=*)', attributes, binary = [] }) => {
      try {
        const { searchEntries } = await client.search(base, {
          scope,
          filter,
          attributes: [...attributes],
          explicitBufferAttributes: [...binary],
          paged: base !== '',
        });
        return searchEntries;
      } catch (cause) {
        if (cause instanceof NoSuchObjectError) return [];
        throw directoryFailure(`${doing} on ${controller}`, cause);
      }
    },
    [Symbol.asyncDispose]: () => client.unbind().catch(() => undefined),
  };
}

/** Which domain a controller is of; it tells whoever asks. Undefined: it does not. */
async function domainOf(client: Client): Promise<string | undefined> {
  try {
    const attributes = ['defaultNamingContext'];
    const { searchEntries } = await client.search('', { scope: 'base', attributes });
    return dnsNameOfContext(textOf(searchEntries[0], 'defaultNamingContext') ?? '');
  } catch {
    return undefined;
  }
}

/** `DC=lab,DC=example` is `lab.example` (RFC 2247). */
export function dnsNameOfContext(context: string): string {
  const labels = context.split(',').map((part) => part.replace(/^DC=/i, ''));
  return labels.join('.').toLowerCase();
}

/** What an operation that a controller refused means to a person. */
export function directoryFailure(doing: string, cause: unknown): RekindleError {
  if (cause instanceof InsufficientAccessError) {
    return new RekindleError('usage', `${doing}: the account of this site may not do that`, {
      cause,
      next: 'Delegate the rights of docs/domain.md to it, on the computer accounts of the stations only.',
    });
  }
  return new RekindleError('store-unreachable', doing, {
    cause,
    next: 'Check that the domain controller is well: dcdiag, or samba-tool drs showrepl.',
  });
}

function connectFailure(name: string, user: string, cause: unknown): RekindleError {
  if (cause instanceof InvalidCredentialsError) {
    return new RekindleError('usage', `Logging on to ${name} as ${user}`, {
      cause: new Error('the domain refuses name or password'),
      next: 'Check directory.account and its password file; an expired or locked account is refused the same way.',
    });
  }
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/CERT|SELF_SIGNED|ALTNAME|UNABLE_TO_VERIFY/.test(why)) {
    return new RekindleError(
      'store-unreachable',
      `Connecting to ${name} by LDAPS: its certificate does not fit`,
      {
        cause,
        next: 'Put the certificate of the CA that signed it into the file of directory.ca, and name the controller as its certificate does.',
      },
    );
  }
  return new RekindleError('store-unreachable', `Connecting to ${name} by LDAPS`, {
    cause,
    next: 'Check that the controller runs, that TCP port 636 is open, and that its name is in the DNS or in /etc/hosts of this computer.',
  });
}

/** RFC 4515, section 3: a value inside of a filter. */
export function escapeFilter(value: string): string {
  return value.replace(
    /[\\*()\0]/g,
    (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The one value of an attribute as text; undefined when it is absent. */
export function textOf(entry: Entry | undefined, attribute: string): string | undefined {
  const value = entry?.[attribute];
  const one = Array.isArray(value) ? value[0] : value;
  return one === undefined ? undefined : one.toString();
}

/** The one value of an attribute that was asked for as bytes. */
export function bytesOf(entry: Entry | undefined, attribute: string): Buffer | undefined {
  const value = entry?.[attribute];
  const one = Array.isArray(value) ? value[0] : value;
  return Buffer.isBuffer(one) && one.length > 0 ? one : undefined;
}
