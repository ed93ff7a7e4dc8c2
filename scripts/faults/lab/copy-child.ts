import fs from 'node:fs';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { listImages } from '#images/stores/image-files.ts';
import { type CopiedImage, copyImages } from '#images/upkeep/copy.ts';

/** `node copy-child.ts <from> <to> <public key file>`: copies every image. */
export async function copyAll(from: string, to: string, publicKeyFile: string): Promise<CopiedImage[]> {
  const publicKey = parsePublicKey(fs.readFileSync(publicKeyFile, 'utf8'));
  return copyImages({ from, to, publicKey, names: await listImages(from) });
}

if (import.meta.main) {
  try {
    const [from = '', to = '', publicKeyFile = ''] = process.argv.slice(2);
    await copyAll(from, to, publicKeyFile);
  } catch (error) {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
