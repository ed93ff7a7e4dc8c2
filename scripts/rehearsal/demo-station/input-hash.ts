import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * SHA-256 (hex) over names and contents of everything that decides what the demo station becomes. Versions of
 * its packages are not part of it: a station that is a point release behind is as good a station to recover,
 * and what it holds is in its manifest.
 */
export async function hashInputs(directories: readonly string[], values: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  const add = (part: string | Buffer): void => {
    // The length before each part: no two lists of parts run together into the same bytes.
    hash.update(`${part.length}:`).update(part);
  };
  for (const value of values) add(value);
  for (const directory of directories) {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of files.sort()) {
      add(path.relative(directory, file));
      add(await readFile(file));
    }
  }
  return hash.digest('hex');
}
