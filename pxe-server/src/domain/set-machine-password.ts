import { Attribute, Change } from 'ldapts';
import { type DirectorySession, directoryFailure } from './directory-session.ts';
import type { ComputerAccount } from './predict-trust.ts';

/** Sets the password of a computer account (MS-ADTS 3.1.1.3.1.5.1: quoted, UTF-16LE, over TLS only). */
export async function setMachinePassword(
  session: DirectorySession,
  account: ComputerAccount,
  password: string,
): Promise<void> {
  const change = new Change({
    operation: 'replace',
    modification: new Attribute({ type: 'unicodePwd', values: [Buffer.from(`"${password}"`, 'utf16le')] }),
  });
  try {
    await session.client.modify(account.distinguishedName, change);
  } catch (cause) {
    throw directoryFailure(`Setting the password of ${account.distinguishedName}`, cause);
  }
}
