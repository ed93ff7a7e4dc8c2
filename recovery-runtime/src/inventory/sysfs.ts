import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Reader of sysfs and procfs below a root, so that a captured tree can be read like a live machine. An
 * attribute that is not there, or that the kernel will not give, is undefined: hardware differs in what it
 * tells, and a passport leaves out what it does not.
 */
export interface Sysfs {
  readonly root: string;
}

export async function readAttribute(sysfs: Sysfs, path: string): Promise<string | undefined> {
  return (await readAttributeBytes(sysfs, path))?.toString('utf8').replace(/\n$/, '');
}

export async function readAttributeBytes(sysfs: Sysfs, path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(join(sysfs.root, path));
  } catch {
    return undefined;
  }
}

/** A decimal or 0x-prefixed number; undefined when the attribute is not there or is no number. */
export async function readNumber(sysfs: Sysfs, path: string): Promise<number | undefined> {
  const text = (await readAttribute(sysfs, path))?.trim();
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Names in a directory, sorted; empty when it is not there. */
export async function listDirectory(sysfs: Sysfs, path: string): Promise<string[]> {
  try {
    return (await readdir(join(sysfs.root, path))).sort();
  } catch {
    return [];
  }
}

/** Where a link ends, as an absolute path below the root; undefined when it leads nowhere. */
export async function resolveLink(sysfs: Sysfs, path: string): Promise<string | undefined> {
  try {
    const [target, root] = await Promise.all([realpath(join(sysfs.root, path)), realpath(sysfs.root)]);
    return root === '/' ? target : target.slice(root.length);
  } catch {
    return undefined;
  }
}
