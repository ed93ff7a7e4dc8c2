import { createHash } from 'node:crypto';
import { constants } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import type { SystemStateFile, SystemStateManifest } from '../format/system-state-manifest.ts';
import type { HttpStoreRef, StoreRef } from './chunk-store.ts';
import { refusedByStore } from './http-refusal.ts';
import { createHttpClient } from './http-request.ts';
import { openPlainFile, readFault } from './named-folder.ts';
import { systemStateKind, systemStatePath } from './system-state-files.ts';

const readBytes = 1 << 20;

/**
 * A file of a system state, as it comes. Who takes the bytes uses them only when the end came without an error: size
 * and hash are compared there. A buffer is the reader's until it asks for the next one.
 * @throws RekindleError `verification-failed`, `store-unreachable`; the signal's reason
 */
export function readSystemStateFile(
  ref: StoreRef,
  name: ImageName,
  manifest: SystemStateManifest,
  file: SystemStateFile,
  signal?: AbortSignal,
): AsyncIterable<Uint8Array> {
  const parts = systemStatePath(name, manifest, file);
  const bytes =
    ref.kind === 'http'
      ? streamStoreFile(ref, parts, signal)
      : readLocalFile(ref.path, path.join(ref.path, ...parts), signal);
  return compared(bytes, file, formatImageRef(name));
}

/** The same bytes; at the end they are those that the manifest lists. @throws RekindleError `verification-failed` */
export async function* compared(
  bytes: AsyncIterable<Uint8Array>,
  listed: SystemStateFile,
  what: string,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const part of bytes) {
    length += part.length;
    if (length > listed.bytes) throw badFile(listed, what, `it is longer than ${listed.bytes} bytes`);
    hash.update(part);
    yield part;
  }
  if (length !== listed.bytes)
    throw badFile(listed, what, `it has ${length} bytes, the manifest says ${listed.bytes}`);
  const found = hash.digest('hex');
  if (found !== listed.sha256)
    throw badFile(listed, what, `it hashes to ${found}, the manifest says ${listed.sha256}`);
}

function badFile(listed: SystemStateFile, what: string, why: string): RekindleError {
  return new RekindleError('verification-failed', `Reading ${listed.path} of system state ${what}: ${why}`, {
    next: 'Add the backup again (rekindle system-state add), or use another system state of the station.',
  });
}

/** @throws RekindleError `verification-failed` (it cannot be read, or is no plain file), `store-unreachable` */
export async function* readLocalFile(
  store: string,
  file: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  try {
    // A link could lead anywhere.
    await using handle = await openPlainFile(file, constants.O_NOFOLLOW);
    const memory = Buffer.allocUnsafeSlow(readBytes);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(memory, 0, readBytes, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield memory.subarray(0, bytesRead);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw await readFault(store, file, systemStateKind, cause);
  }
}

async function* streamStoreFile(
  ref: HttpStoreRef,
  parts: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const where = parts.join('/');
  const client = createHttpClient(ref);
  try {
    yield* client.stream(`/${parts.map(encodeURIComponent).join('/')}`, {
      signal,
      refuse: (reply) =>
        reply.status === 404
          ? new RekindleError('verification-failed', `Reading ${where}: ${ref.url} does not hold it`, {
              next: 'Add the backup again (rekindle system-state add), or use another system state.',
            })
          : refusedByStore(`Reading ${where}`, ref, reply),
    });
  } finally {
    client.close();
  }
}
