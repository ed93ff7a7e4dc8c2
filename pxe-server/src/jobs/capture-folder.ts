import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageManifest } from '#images/format/image-manifest.ts';

/**
 * Files of a capture that is not finished: nowhere below `images`, so that an interrupted capture is no image.
 */
export function captureFolder(store: string, jobId: string): string {
  return join(store, 'captures', jobId);
}

/** The files that the manifest lists, which `checkCapture` has found right. */
export async function readCaptureFiles(store: string, jobId: string, { files }: ImageManifest) {
  const folder = captureFolder(store, jobId);
  return Promise.all(files.map(async ({ name }) => ({ name, bytes: await readFile(join(folder, name)) })));
}

export function removeCapture(store: string, jobId: string): void {
  rmSync(captureFolder(store, jobId), { recursive: true, force: true });
}
