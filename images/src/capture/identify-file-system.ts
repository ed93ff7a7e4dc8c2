import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import type { ByteRange } from '../format/chunk-grid.ts';

const blkid = { command: 'blkid', debianPackage: 'util-linux' };

export interface FileSystem {
  /** As blkid says it: ext4, ntfs, vfat, swap … */
  readonly type: string;
  readonly label: string | undefined;
}

/** What blkid recognises in a range of a disk; null when it recognises nothing. */
export async function identifyFileSystem(disk: string, range: ByteRange): Promise<FileSystem | null> {
  const place = ['--offset', String(range.startByte), '--size', String(range.sizeBytes)];
  const doing = `Looking for a file system at byte ${range.startByte} of ${disk}`;
  const args = ['--probe', '--output', 'export', ...place, disk];
  const result = await callTool(doing, blkid, args);
  // 2: nothing recognised; 8: signatures of several file systems, which is no knowledge either.
  if (result.status === 2 || result.status === 8) return null;
  if (result.status !== 0) {
    throw new RekindleError('unexpected', doing, {
      cause: new Error(result.stderr.trim() || `blkid ended with status ${result.status}`),
      next: 'Check that the disk can be read.',
    });
  }
  return parseBlkid(result.stdout.toString());
}

/** `KEY=value` lines; export output puts a backslash before what a shell would take for its own. */
export function parseBlkid(text: string): FileSystem | null {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1).replaceAll(/\\(.)/g, '$1'));
  }
  const type = values.get('TYPE');
  return type === undefined ? null : { type, label: values.get('LABEL') };
}
