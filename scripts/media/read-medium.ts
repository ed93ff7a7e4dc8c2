import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { type StationTicket, stationTicketSchema, ticketFile } from '#contract/station-ticket.ts';
import { type PublicKey, verifySignature } from '#images/format/minisign.ts';
import { listFile } from './medium-files.ts';
import { extractIso } from './write-iso.ts';
import { extractUsbImage, findDataPartition } from './write-usb-image.ts';

export interface ReadMedium {
  readonly ticket: StationTicket;
  /** Files that are missing or not what the signed ticket lists. */
  readonly damaged: readonly string[];
}

/**
 * Reads a medium (ISO file, or the device of a stick) without mounting it.
 * @throws RekindleError `verification-failed`: no recovery medium, or not signed by this site
 */
export async function readMedium(file: string, signer: PublicKey): Promise<ReadMedium> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-medium-'));
  try {
    const data = findDataPartition(file);
    await (data === undefined ? extractIso(file, folder) : extractUsbImage(file, data, folder));
    const bytes = await readFile(join(folder, ticketFile)).catch((cause: unknown) => refuse(file, cause));
    const signature = await readFile(join(folder, `${ticketFile}.minisig`), 'utf8').catch((cause: unknown) =>
      refuse(file, cause),
    );
    verifySignature(bytes, signature, signer, `the station ticket in ${file}`);
    const ticket = parseTicket(file, bytes);
    const damaged: string[] = [];
    for (const { path, sha256 } of ticket.files) {
      const found = await listFile({ path, source: join(folder, path) }).catch(() => undefined);
      if (found?.sha256 !== sha256) damaged.push(path);
    }
    return { ticket, damaged };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function parseTicket(file: string, bytes: Buffer): StationTicket {
  try {
    return stationTicketSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    return refuse(file, cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause);
  }
}

function refuse(file: string, cause: unknown): never {
  throw new RekindleError(
    'verification-failed',
    `Reading ${file}: it is no recovery medium of this version`,
    {
      cause,
      next: 'Build one: rekindle media build STATION --output FILE.iso',
    },
  );
}
