import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import type { SitePaths } from './site-paths.ts';

const servedShareSchema = z.strictObject({ mounts: z.enum(['smb', 'nfs']).nullable() });
type ServedShare = z.infer<typeof servedShareSchema>['mounts'];

/** Remembers what the runtime of this site can mount: what does so is built into it, and nothing else. */
export async function writeServedShare(paths: SitePaths, mounts: ServedShare): Promise<void> {
  await writeFileDurably(paths.shareRecord, Buffer.from(`${JSON.stringify({ mounts })}\n`));
}

/** Null also for a runtime that was built before there were shares. */
export async function readServedShare(paths: SitePaths): Promise<ServedShare> {
  const text = await readFile(paths.shareRecord, 'utf8').catch(() => '{"mounts":null}');
  return servedShareSchema.parse(JSON.parse(text)).mounts;
}
