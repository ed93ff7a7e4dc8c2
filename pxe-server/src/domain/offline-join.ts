import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, missingTool } from '#base/run-tool.ts';
import type { DomainSettings } from './domain-settings.ts';

/**
 * `net` opens the file of its credentials by name: /dev/stdin is such a file while it is a pipe, and what Node gives
 * to a child is a socket.
 */
const net = { command: 'sh', debianPackage: 'samba-common-bin' };
const credentialsByPipe = 'cat | net "$@" --authentication-file=/dev/stdin';

/**
 * A new machine password, and all that the station has to know of its domain. Gives the computer account a new password and makes the blob of an offline join of it (MS-ODJ). The password of
 * before is worth nothing from then on. The account's password travels on standard input, the blob on standard
 * output: no argument, no environment and no file of this computer holds either.
 * @returns the file that `djoin /requestodj /loadfile` and `net offlinejoin requestodj` read: a secret
 * @throws RekindleError `usage` (rights, name), `store-unreachable`
 */
export async function provisionOfflineJoin(
  settings: DomainSettings,
  controller: string,
  computerName: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { domain, credentials } = settings;
  const doing = `Making the offline-join blob of ${computerName} with ${controller}`;
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-offline-join-'));
  try {
    const configuration = await writeSambaConfiguration(folder, domain);
    const { status, stdout, stderr } = await callTool(
      doing,
      net,
      [
        ...[
          '-c',
          credentialsByPipe,
          'sh',
          'offlinejoin',
          'provision',
          `domain=${domain}`,
          `machine_name=${computerName.toUpperCase()}`,
        ],
        ...[`dcname=${controller}`, 'reuse', 'printblob'],
        `--configfile=${configuration}`,
      ],
      {
        input: Buffer.from(
          `username = ${credentials.account}\npassword = ${credentials.password}\ndomain = ${domain}\n`,
        ),
        ...(signal === undefined ? {} : { signal }),
      },
    );
    const blob = stdout
      .toString()
      .split('\n')
      .map((line) => line.trim())
      .findLast((line) => /^[A-Za-z0-9+/]{200,}={0,2}$/.test(line));
    if (status === notFound) throw missingTool(doing, { ...net, command: 'net' }, new Error(stderr.trim()));
    if (status !== 0 || blob === undefined)
      throw provisionFailure(doing, `${stderr}${withoutBlob(stdout.toString())}`);
    return formatOfflineJoinFile(blob);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As djoin.exe writes it: UTF-16LE with a byte order mark, base64, and a NUL at the end. */
export function formatOfflineJoinFile(base64: string): Uint8Array {
  return Buffer.from(`\uFEFF${base64}\0`, 'utf16le');
}

/** `net` without a configuration of its own would use, and write to, this computer's. */
async function writeSambaConfiguration(folder: string, domain: string): Promise<string> {
  const folders = ['private', 'lock', 'state', 'cache'];
  for (const name of folders) await mkdir(join(folder, name));
  const configuration = join(folder, 'smb.conf');
  await writeFile(
    configuration,
    [
      '[global]',
      `realm = ${domain.toUpperCase()}`,
      `workgroup = ${domain.split('.')[0]?.toUpperCase()}`,
      ...['security = user', 'client min protocol = SMB2_10', 'client signing = required'],
      ...['private', 'lock', 'state', 'cache'].map(
        (name) => `${name} ${name === 'private' ? 'dir' : 'directory'} = ${join(folder, name)}`,
      ),
      '',
    ].join('\n'),
  );
  return configuration;
}

/** Of a shell that finds no such program. */
const notFound = 127;

const withoutBlob = (said: string): string => said.replace(/[A-Za-z0-9+/=]{100,}/g, '…');

function provisionFailure(doing: string, said: string): RekindleError {
  const cause = new Error(said.trim().split('\n').slice(-5).join('\n') || 'net said nothing');
  if (/ACCESS_DENIED|error code: ?5\b|Insufficient access|0x00000005/i.test(said)) {
    return new RekindleError(
      'usage',
      `${doing}: the account of this site may not reset that computer account`,
      {
        cause,
        next: 'Delegate the rights of docs/domain.md to it, on the computer accounts of the stations only.',
      },
    );
  }
  if (/LOGON_FAILURE|WRONG_PASSWORD|ACCOUNT_LOCKED/.test(said)) {
    return new RekindleError('usage', `${doing}: the domain refuses the account of this site`, {
      cause,
      next: 'Check directory.account and its password file; an expired or locked account is refused the same way.',
    });
  }
  return new RekindleError('store-unreachable', doing, {
    cause,
    next: 'Check that the controller runs, and that TCP ports 88, 135, 389, 445 and 49152 to 65535 of it are open.',
  });
}
