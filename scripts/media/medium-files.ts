import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** A file of the medium and where its bytes come from. */
export interface MediumFile {
  /** On the medium, without a leading slash. */
  readonly path: string;
  readonly source: string;
}

export interface ListedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export async function listFile({ path, source }: MediumFile): Promise<ListedFile> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(source)) hash.update(part);
  return { path, bytes: (await stat(source)).size, sha256: hash.digest('hex') };
}
