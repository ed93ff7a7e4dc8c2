import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { announcementFolder, withdrawAnnouncement } from '#images/stores/announcement.ts';

/**
 * Files of a capture that is not finished: nowhere below `images`, so that an interrupted capture is no image. They
 * are kept beside what the capture announces; the job's id is the announcement.
 */
export function captureFolder(store: string, jobId: string): string {
  return join(announcementFolder(store, jobId), 'files');
}

/** The files that the manifest lists, which `checkCapture` has found right. */
export async function readCaptureFiles(store: string, jobId: string, { files }: ImageManifest) {
  const folder = captureFolder(store, jobId);
  return Promise.all(files.map(async ({ name }) => ({ name, bytes: await readFile(join(folder, name)) })));
}

export async function removeCapture(store: string, jobId: string): Promise<void> {
  await withdrawAnnouncement(store, jobId);
}
