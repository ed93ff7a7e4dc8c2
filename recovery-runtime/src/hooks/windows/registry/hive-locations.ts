import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { FatFiles } from '../boot/fat-files.ts';
import { readExtendedAttribute, writeExtendedAttribute } from '../native/extended-attributes.ts';
import { aclAttribute } from '../volume/locked-folder.ts';
import { originalEnding, type StoredHive } from './stored-hive.ts';

const logEndings = ['.LOG1', '.LOG2'] as const;

/** @param file its path on a mounted volume (volume/find-path.ts) */
export function hiveOnVolume(file: string): StoredHive {
  return {
    name: path.basename(file),
    async read() {
      const [log1, log2] = logEndings.map((ending) => readSibling(file, ending));
      return { primary: fs.readFileSync(file), log1: log1 ?? nothing, log2: log2 ?? nothing };
    },
    async replace(bytes) {
      replaceFile(file, bytes);
    },
  };
}

/** @param file its Windows path in the boot partition, which has to have it */
export function hiveInBootPartition(files: FatFiles, file: string): StoredHive {
  const name = file.slice(file.lastIndexOf('\\') + 1);
  return {
    name,
    async read() {
      const primary = await files.read(file);
      if (primary === null) {
        throw new RekindleError('verification-failed', `reading ${file} of the boot partition`, {
          cause: new Error('it is not there'),
          next: 'Restore another image of this station.',
        });
      }
      const [log1, log2] = await Promise.all(logEndings.map((ending) => files.read(`${file}${ending}`)));
      return { primary, log1: log1 ?? nothing, log2: log2 ?? nothing };
    },
    replace: (bytes) => files.replace(file, bytes),
  };
}

const nothing = Buffer.alloc(0);

/** Windows does not care about the case of names; ntfs-3g does. */
function readSibling(file: string, ending: string): Buffer | undefined {
  const wanted = `${path.basename(file)}${ending}`.toLowerCase();
  const found = fs.readdirSync(path.dirname(file)).find((name) => name.toLowerCase() === wanted);
  return found === undefined ? undefined : fs.readFileSync(path.join(path.dirname(file), found));
}

/**
 * One rename puts the new file in place, with the old one's access rights and attributes: what ntfs-3g gives to a
 * new file lets everybody write it. A volume without room keeps what it has.
 */
function replaceFile(file: string, bytes: Buffer): void {
  const [fresh, original] = [`${file}.rekindle-new`, `${file}${originalEnding}`];
  try {
    const fd = fs.openSync(fresh, 'w', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    if (!fs.readFileSync(fresh).equals(bytes)) throw new Error('read back, it is another');
    for (const attribute of [aclAttribute, 'system.ntfs_attrib']) {
      const value = readExtendedAttribute(file, attribute);
      if (value !== null) writeExtendedAttribute(fresh, attribute, value);
    }
    if (!fs.existsSync(original)) fs.linkSync(file, original);
    fs.renameSync(fresh, file);
  } catch (cause) {
    fs.rmSync(fresh, { force: true });
    throw new RekindleError('unexpected', `writing ${path.basename(file)} of the restored system`, {
      cause,
      next: 'The file is as it was. Look whether its volume has room and is not damaged, then start again.',
    });
  }
}
