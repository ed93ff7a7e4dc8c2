import { createHash, hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The known content of PROJECTS: the same bytes at every build. */

export interface KnownFile {
  /** Path below the volume's root. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

const areas = ['AS01', 'AS02', 'OS', 'HMI', 'SFC', 'Bibliothek'] as const;
const filesPerArea = 10;
const backupBytes = 24 * 1024 * 1024;
const backupPath = 'Archive/OS-project-backup.zap';

/** `length` bytes that do not compress, decided by `seed` alone. */
function pseudoRandomBytes(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

function knownContents(): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (const area of areas) {
    for (let number = 1; number <= filesPerArea; number++) {
      const name = `Plant/${area}/block-${String(number).padStart(3, '0')}`;
      // Sizes from a few bytes (inside of the NTFS file record) to some 100 KB.
      contents.set(`${name}.dat`, pseudoRandomBytes(name, 37 * number ** 4));
      contents.set(`${name}.txt`, Buffer.from(`${name}\r\n`.repeat(number * 50)));
    }
  }
  contents.set(backupPath, pseudoRandomBytes(backupPath, backupBytes));
  return contents;
}

/** Writes the content below `directory`, and its list as `content.sha256` in sha256sum's format. */
export async function writeProjectsContent(directory: string): Promise<KnownFile[]> {
  const files: KnownFile[] = [];
  for (const [name, content] of knownContents()) {
    const target = path.join(directory, name);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content);
    const sha256 = hash('sha256', content);
    files.push({ path: name, bytes: content.length, sha256 });
  }
  const list = files.map((file) => `${file.sha256}  ${file.path}\n`).join('');
  await writeFile(path.join(directory, 'content.sha256'), list);
  return files;
}
