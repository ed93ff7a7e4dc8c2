import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { type StationTicket, stationTicketSchema, ticketInitramfsFile } from '#contract/station-ticket.ts';
import { parsePublicKey, verifySignature } from '#images/format/minisign.ts';

export interface SignedTicket {
  readonly bytes: Buffer;
  readonly signature: string;
}

/** The ticket that the medium put into this initramfs; none when the machine booted from the network. */
export async function readSignedTicket(root = '/'): Promise<SignedTicket | undefined> {
  const path = `${root}${ticketInitramfsFile}`;
  try {
    return { bytes: await readFile(path), signature: await readFile(`${path}.minisig`, 'utf8') };
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined;
    throw new RekindleError('verification-failed', `reading the station ticket of this medium (${path})`, {
      cause,
      next: otherMedium,
    });
  }
}

export const otherMedium =
  'Build the medium again (rekindle media build), or start this machine from the network.';

/**
 * @param signer minisign public key of the site
 * @throws RekindleError `verification-failed`
 */
export function parseTicket({ bytes, signature }: SignedTicket, signer: string): StationTicket {
  verifySignature(bytes, signature, parsePublicKey(signer), 'the station ticket of this medium');
  try {
    return stationTicketSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new RekindleError('verification-failed', 'reading the station ticket of this medium', {
      cause: cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause,
      next: otherMedium,
    });
  }
}
