import { access, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import express, { type Request, type Response, type Router } from 'express';
import { isErrno } from '#base/errno.ts';
import { missingReplySchema, missingRequestSchema } from '#contract/api.ts';
import { type ChunkId, chunkPath, isChunkId } from '#images/format/chunk-id.ts';
import { chunkSizeLimit } from '#images/format/disk-index.ts';
import { formatImageName, parseImageName } from '#images/format/image-name.ts';
import { isChunk } from '#images/stores/check-chunks.ts';
import type { ChunkStore } from '#images/stores/chunk-store.ts';
import { takeBack } from '#images/stores/condemned-chunk.ts';
import { chunkFilePath, chunksFolder } from '#images/stores/directory-store.ts';
import { syncFolder, writeFileDurably } from '#images/stores/durable-write.ts';
import { imageFolder } from '#images/stores/image-folder.ts';
import { openStore, openStoreForWriting } from '#images/stores/open-store.ts';
import { isStoreFull } from '#images/stores/store-full.ts';
import { captureFolder } from '../jobs/capture-folder.ts';
import type { ChunksOfImages } from '../jobs/chunks-of-images.ts';
import type { Job } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { addEndpoint, notAllowed, ok, refuse, sendProblem } from './endpoint.ts';
import { sendChunk } from './send-chunk.ts';
import { allowed, noSuchFile, openJobOf, sendFile } from './store-access.ts';

/** zstd makes what it cannot compress a little longer. */
const largestChunkFile = chunkSizeLimit + (1 << 20);
/** The index of a disk of 25 TiB in chunks of 1 MiB; it is held in memory once. */
const largestImageFile = 1024 ** 3;

/**
 * The image store, as far as a token reaches. A restore reads the files of its image and the chunks of its
 * indexes, a comparison the files only; a capture asks for chunks, writes chunks, and writes the files of its image.
 */
export function addStoreRoutes(router: Router, context: ServiceContext, chunksOf: ChunksOfImages): void {
  const { state, store } = context;
  const chunks = openStore({ kind: 'directory', path: store });
  const withAnnounced = async <T>(job: Job, work: (into: ChunkStore) => Promise<T>): Promise<T> => {
    const into = openStoreForWriting({ kind: 'directory', path: store, announcement: job.id });
    try {
      return await work(into);
    } finally {
      await into.close();
    }
  };

  addEndpoint(router, state, {
    method: 'post',
    path: '/store/missing',
    grant: ['job', 'capture'],
    body: missingRequestSchema,
    reply: missingReplySchema,
    limit: '8mb',
    async handle({ grant, body: { chunks: ids } }) {
      const job = openJobOf(context, grant);
      if ('status' in job) return job;
      if (grant.kind === 'capture') {
        return ok({ missing: await withAnnounced(job, (into) => into.need(ids as ChunkId[])) });
      }
      const own = await chunksOf.of(job.imageName);
      if (ids.some((id) => own.findHex(id) === -1)) {
        return notAllowed('This token reads the chunks of its own image only.');
      }
      return ok({ missing: await chunks.missing(ids as ChunkId[]) });
    },
  });

  const chunkRoute = `/store/${chunksFolder}/:prefix/:file`;
  router.get(chunkRoute, async (request, response) => {
    const kinds = request.method === 'HEAD' ? (['job', 'capture'] as const) : (['job'] as const);
    const job = allowed(context, request, kinds);
    if ('status' in job) return sendProblem(response, job);
    const id = chunkIdIn(request);
    if (id === undefined) return sendProblem(response, noSuchFile);
    if (job.kind === 'restore' && (await chunksOf.of(job.imageName)).findHex(id) === -1) {
      return sendProblem(response, notAllowed('This token reads the chunks of its own image only.'));
    }
    const file = chunkFilePath(store, id);
    if (await sendChunk(request, response, file).catch(() => false)) return;
    if (job.kind === 'restore' && !(await isThere(file))) await takeBack(file);
    // A file that is not there: sendFile finds that too, and answers.
    sendFile(response, file);
  });

  const readChunk = express.raw({ type: () => true, limit: largestChunkFile });
  router.put(chunkRoute, async (request, response) => {
    const job = allowed(context, request, ['capture']);
    if ('status' in job) return sendProblem(response, job);
    const id = chunkIdIn(request);
    if (id === undefined) return sendProblem(response, noSuchFile);
    const bytes = await readBody(readChunk, request, response);
    if (!(await isChunk(id, bytes))) {
      return sendProblem(
        response,
        refuse(422, {
          code: 'wrong-chunk',
          message: `What arrived for chunk ${id} is not what its id says.`,
        }),
      );
    }
    await answerWrite(response, () =>
      withAnnounced(job, async (into) => {
        const [missing] = await into.need([id]);
        if (missing !== undefined) await into.put(id, bytes);
      }),
    );
  });

  const fileRoute = '/store/images/:station/:image/:file';
  router.get(fileRoute, (request, response) => {
    const job = allowed(context, request, ['job', 'comparison']);
    if ('status' in job) return sendProblem(response, job);
    const target = imageFileIn(request, job);
    if (target === undefined) {
      return sendProblem(response, notAllowed('This token reads the files of its own image only.'));
    }
    sendFile(response, join(imageFolder(store, target.image), target.file));
  });

  const readFile = express.raw({ type: () => true, limit: largestImageFile });
  router.put(fileRoute, async (request, response) => {
    const job = allowed(context, request, ['capture']);
    if ('status' in job) return sendProblem(response, job);
    const target = imageFileIn(request, job);
    if (target === undefined || target.file.startsWith('manifest.json')) {
      return sendProblem(response, notAllowed('This token writes the files of its own image only.'));
    }
    const bytes = await readBody(readFile, request, response);
    const folder = captureFolder(store, job.id);
    try {
      await makeFilesFolder(folder);
      await answerWrite(response, () => writeFileDurably(join(folder, target.file), bytes));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      sendProblem(response, announcementDropped);
    }
  });
}

/** Never the announcement's own folder: one that `gc` has dropped does not come back, its chunks may be gone. */
async function makeFilesFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
    await syncFolder(dirname(folder));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

const announcementDropped = refuse(409, {
  code: 'capture-dropped',
  message: 'This capture gave no sign of life for so long that it was taken for interrupted.',
  next: 'Start the capture again: what is stored is reused.',
});

/** A full store is no failure that goes away by asking again. */
async function answerWrite(response: Response, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isStoreFull(error)) throw error;
    return sendProblem(
      response,
      refuse(507, {
        code: 'store-full',
        message: 'The image store is full.',
        next: 'Free some space in the store, then start again: what is stored is reused.',
      }),
    );
  }
  response.status(204).end();
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function chunkIdIn({ params }: Request): ChunkId | undefined {
  const file = String(params['file']);
  const id = file.slice(0, -'.cacnk'.length);
  return isChunkId(id) && chunkPath(id) === `${String(params['prefix'])}/${file}` ? id : undefined;
}

/** Undefined unless the path is a plain file name in the folder of the job's own image. */
function imageFileIn({ params }: Request, job: Job) {
  const image = parseImageName(job.imageName);
  const file = String(params['file']);
  const own =
    image !== null && params['station'] === image.station && params['image'] === formatImageName(image);
  return own && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(file) ? { image, file } : undefined;
}

async function readBody(
  read: ReturnType<typeof express.raw>,
  request: Request,
  response: Response,
): Promise<Uint8Array> {
  await new Promise<void>((resolve, reject) => {
    read(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}
