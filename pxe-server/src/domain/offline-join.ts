import { RekindleError } from '#base/errors.ts';
import type { DomainSettings } from './domain-settings.ts';
import { callSamba } from './samba-client.ts';

/** Makes the blob. */
export const offlineJoinTool = { command: 'net', debianPackage: 'samba-common-bin' };

/**
 * Gives the computer account a new password and makes the blob of an offline join of it (MS-ODJ), which has all that the
 * station has to know of its domain. The password of before is worth nothing from then on. The account's password
 * travels on standard input, the blob on standard output: no argument, no environment and no file of this computer holds
 * either.
 * @returns the file that `djoin /requestodj /loadfile` and `net offlinejoin requestodj` read: a secret
 * @throws RekindleError `usage` (rights, name), `store-unreachable`
 */
export async function provisionOfflineJoin(
  settings: DomainSettings,
  controller: string,
  computerName: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const doing = `Making the offline-join blob of ${computerName} with ${controller}`;
  const { status, stdout, stderr } = await callSamba(settings, {
    doing,
    tool: offlineJoinTool,
    args: [
      ...['offlinejoin', 'provision', `domain=${settings.domain}`],
      ...[`machine_name=${computerName.toUpperCase()}`, `dcname=${controller}`, 'reuse', 'printblob'],
    ],
    ...(signal === undefined ? {} : { signal }),
  });
  const blob = stdout
    .toString()
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => /^[A-Za-z0-9+/]{200,}={0,2}$/.test(line));
  if (status !== 0 || blob === undefined)
    throw provisionFailure(doing, `${stderr}${withoutBlob(stdout.toString())}`);
  return formatOfflineJoinFile(blob);
}

/** As djoin.exe writes it: UTF-16LE with a byte order mark, base64, and a NUL at the end. */
function formatOfflineJoinFile(base64: string): Uint8Array {
  return Buffer.from(`\uFEFF${base64}\0`, 'utf16le');
}

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
