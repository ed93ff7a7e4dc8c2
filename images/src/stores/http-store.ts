import { RekindleError } from '#base/errors.ts';
import { chunkBytes } from '../format/chunk-grid.ts';
import { type ChunkDigest, type ChunkId, chunkPath } from '../format/chunk-id.ts';
import { packedBound, unpackChunk } from './chunk-file.ts';
import type { ChunkStore, HttpStoreRef } from './chunk-store.ts';
import { chunksFolder } from './directory-store.ts';
import { refusedByStore } from './http-refusal.ts';
import { createHttpClient, type HttpReply } from './http-request.ts';

/**
 * A store behind HTTP or HTTPS: `GET`, `HEAD`, `PUT <url>/chunks.castr/<4>/<id>.cacnk`, and
 * `POST <url>/missing {chunks}` -> `{missing}`. A plain web server over the same files also serves: without
 * `missing` every chunk is asked for by HEAD.
 */

/** Ids in one question: a body of about 1 MiB. */
const questionSize = 16_384;
const headsAtOnce = 16;

export function openHttpStore(
  ref: HttpStoreRef,
  digest: ChunkDigest = 'sha256',
  patienceMs?: number,
): ChunkStore {
  const client = createHttpClient(ref, patienceMs);
  /** For chunk files; a request takes one and gives it back. */
  const kept: Uint8Array[] = [];
  const pathOf = (id: ChunkId): string => `/${chunksFolder}/${chunkPath(id)}`;
  async function missingByHead(ids: readonly ChunkId[]): Promise<ChunkId[]> {
    const absent = new Set<ChunkId>();
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
        const reply = await client.request('HEAD', pathOf(id));
        if (reply.status === 404) absent.add(id);
        else if (reply.status !== 200) throw refusedByStore(`Asking for chunk ${id}`, ref, reply);
      }
    };
    await Promise.all(Array.from({ length: headsAtOnce }, lane));
    return ids.filter((id) => absent.has(id));
  }

  async function read(id: ChunkId, into?: Uint8Array) {
    const memory = kept.pop() ?? new Uint8Array(packedBound(chunkBytes));
    const reply = await client.request('GET', pathOf(id), { into: memory });
    if (reply.status === 404) {
      throw new RekindleError('not-found', `Reading chunk ${id}: image store ${ref.url} does not hold it`, {
        next: 'Copy it from a second store, or choose another image.',
        details: { chunk: id },
      });
    }
    if (reply.status !== 200) throw refusedByStore(`Reading chunk ${id}`, ref, reply);
    return { plain: unpackChunk(id, reply.body, ref.url, digest, into), chunkFile: reply.body, memory };
  }

  async function missing(ids: readonly ChunkId[]): Promise<ChunkId[]> {
    const absent: ChunkId[] = [];
    for (let at = 0; at < ids.length; at += questionSize) {
      const chunks = ids.slice(at, at + questionSize);
      const reply = await client.request('POST', '/missing', {
        body: Buffer.from(JSON.stringify({ chunks })),
        type: 'application/json',
      });
      if ([404, 405, 501].includes(reply.status)) return missingByHead(ids);
      if (reply.status !== 200) throw refusedByStore('Asking which chunks are missing', ref, reply);
      const answer = new Set(parseMissing(reply, ref.url));
      absent.push(...chunks.filter((id) => answer.has(id)));
    }
    return absent;
  }

  return {
    description: ref.url,

    async get(id, into) {
      const { plain, memory } = await read(id, into);
      kept.push(memory);
      return plain;
    },

    // The chunk file is the caller's: its memory is not taken again.
    async getChunkFile(id) {
      const { plain, chunkFile } = await read(id);
      return { chunkFile, plainBytes: plain.length };
    },

    missing,
    // The service announces for the capture whose token asks.
    need: missing,

    async put(id, chunkFile) {
      const reply = await client.request('PUT', pathOf(id), {
        body: chunkFile,
        type: 'application/octet-stream',
      });
      if (![200, 201, 204].includes(reply.status)) throw refusedByStore(`Writing chunk ${id}`, ref, reply);
    },

    async close() {
      client.close();
    },
  };
}

/** By hand: a schema library would have to be loaded again in every worker thread. */
function parseMissing(reply: HttpReply, url: string): string[] {
  let cause: unknown;
  try {
    const answer: unknown = JSON.parse(reply.body.toString('utf8'));
    const missing =
      typeof answer === 'object' && answer !== null && 'missing' in answer ? answer.missing : undefined;
    if (Array.isArray(missing) && missing.every((id) => typeof id === 'string')) return missing;
    cause = new Error('it has no list "missing"');
  } catch (error) {
    cause = error;
  }
  throw new RekindleError(
    'store-unreachable',
    `Asking which chunks are missing: the answer of ${url} is not understood`,
    {
      cause,
      next: 'Check that the address is that of an image store.',
    },
  );
}
