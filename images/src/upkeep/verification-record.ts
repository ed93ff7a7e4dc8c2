import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { sha256HexSchema } from '../format/image-manifest.ts';
import { formatImageName, type ImageName } from '../format/image-name.ts';
import { makeFolderDurably, writeFileDurably } from '../stores/durable-write.ts';

/**
 * When an image was last verified, and with which result: `<store>/verified/<STATION>_<UTC>.json`. A note for people
 * and for `prune`, not a proof: who can write to the store can write it.
 */
export const verifiedFolder = 'verified';

const recordSchema = z.object({
  formatVersion: z.literal(1),
  /** Of the manifest that was verified: a record about another manifest of that name says nothing. */
  manifestSha256: sha256HexSchema.nullable(),
  verifiedAt: z.iso.datetime(),
  result: z.enum(['whole', 'damaged']),
  /** Distinct chunks, and their plain bytes. */
  chunks: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  /** Sentences, at most 20. */
  problems: z.array(z.string()).max(20),
});
export type VerificationRecord = z.infer<typeof recordSchema>;

const fileOf = (store: string, name: ImageName): string =>
  path.join(store, verifiedFolder, `${formatImageName(name)}.json`);

export async function writeVerification(
  store: string,
  name: ImageName,
  record: VerificationRecord,
): Promise<void> {
  await makeFolderDurably(path.join(store, verifiedFolder));
  await writeFileDurably(fileOf(store, name), Buffer.from(`${JSON.stringify(record, null, 2)}\n`));
}

/** Undefined: never verified, or not understood. */
export async function readVerification(
  store: string,
  name: ImageName,
): Promise<VerificationRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(fileOf(store, name), 'utf8')));
  } catch {
    return undefined;
  }
}
