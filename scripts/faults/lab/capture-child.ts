import fs from 'node:fs';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { parseSecretKey } from '#images/format/minisign.ts';
import { publishDemo } from './station.ts';

/**
 * A capture into a directory store and its publication, in a process of its own.
 * `node capture-child.ts '<CaptureJob as JSON>'`; one JSON line when the image is published.
 */
export interface CaptureJob {
  readonly disk: string;
  readonly store: string;
  readonly secretKeyFile: string;
  readonly workers: number;
}

export async function captureImage(job: CaptureJob): Promise<{ ref: string; newChunks: number }> {
  const captured = await captureDisk({
    path: job.disk,
    store: { kind: 'directory', path: job.store },
    dataVolumes: ['PROJECTS'],
    workers: job.workers,
  });
  const key = parseSecretKey(fs.readFileSync(job.secretKeyFile, 'utf8'));
  const ref = await publishDemo({ captured, store: job.store }, key, new Date('2026-11-21T02:00:00Z'));
  return { ref, newChunks: captured.stats.newChunks };
}

if (import.meta.main) {
  try {
    console.log(JSON.stringify(await captureImage(JSON.parse(process.argv[2] ?? '') as CaptureJob)));
  } catch (error) {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
