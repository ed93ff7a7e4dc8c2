import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { writeFully } from '../stores/durable-write.ts';
import type { SourceFile } from './find-backup.ts';

const pieceBytes = 1 << 20;

/**
 * Copies a file of a backup, flushed to the medium.
 * @returns SHA-256 of what was copied; whether that is still as it was listed is for the caller to see
 * @throws RekindleError `usage`: it cannot be read, is gone or has grown; else as the target's file system
 */
export async function copyFile(
  folder: string,
  file: SourceFile,
  target: string,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const source = path.join(folder, file.path);
  await using input = await open(source, 'r').catch((cause: unknown) => {
    throw isAbsent(cause) ? changed(source) : unreadable(source, cause);
  });
  await using output = await open(target, 'wx', 0o644);
  const hash = createHash('sha256');
  const memory = Buffer.allocUnsafeSlow(pieceBytes);
  for (let at = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await input.read(memory, 0, pieceBytes, at).catch((cause: unknown) => {
      throw unreadable(source, cause);
    });
    if (bytesRead === 0) break;
    at += bytesRead;
    // One that grows would be followed for as long as it does.
    if (at > file.bytes) throw changed(source);
    const piece = memory.subarray(0, bytesRead);
    hash.update(piece);
    await writeFully(output, piece);
    onBytes(bytesRead);
  }
  await output.sync();
  return hash.digest('hex');
}

const unreadable = (file: string, cause: unknown): RekindleError =>
  new RekindleError('usage', `Reading ${file}`, {
    cause,
    next: 'Check the drive or share that holds the backup; nothing was added.',
  });

export const changed = (file: string): RekindleError =>
  new RekindleError('usage', `Copying ${file}: it was changed meanwhile`, {
    next: 'Wait until wbadmin has ended, then add the backup again; nothing was added.',
  });
