import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import type { SitePaths } from './site-paths.ts';

/** Of the manifest only what tells versions apart; the rest is for whoever has to prove what a station ran. */
const servedRuntimeSchema = z.object({ programSha256: z.string() });

/** Puts the manifest of the runtime beside it. */
export async function writeServedRuntime(
  paths: SitePaths,
  manifest: z.infer<typeof servedRuntimeSchema>,
): Promise<void> {
  await writeFileDurably(paths.runtimeManifest, Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
}

/** Hash of the program inside; undefined for a runtime that was built before it was noted. */
export async function readServedProgram(paths: SitePaths): Promise<string | undefined> {
  const text = await readFile(paths.runtimeManifest, 'utf8').catch(() => '{}');
  return servedRuntimeSchema.safeParse(JSON.parse(text)).data?.programSha256;
}
