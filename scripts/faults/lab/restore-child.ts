import fs from 'node:fs';
import { exitCodeOf, formatError, RekindleError } from '#base/errors.ts';
import { parseDiskIndex } from '#images/format/disk-index.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { readListedFile, readManifest, resolveImage } from '#images/stores/image-folder.ts';
import { openStore } from '#images/stores/open-store.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { assertChunksPresent } from '#runtime/restore/check-chunks-present.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { type RestoredDisk, restoreDisk } from '#runtime/restore/restore-disk.ts';

/**
 * A restore in a process of its own, in the order in which the runtime does it: signature, index, plan, every
 * chunk there, then the disk. `node restore-child.ts '<RestoreJob as JSON>'`; one JSON line when it is done.
 */
export interface RestoreJob {
  /** Directory store that holds the image's files, and the chunks unless `source` says otherwise. */
  readonly store: string;
  readonly publicKeyFile: string;
  readonly ref: string;
  readonly target: string;
  readonly workers: number;
  readonly source?: StoreRef;
}

export async function restoreImage(job: RestoreJob): Promise<RestoredDisk> {
  const key = parsePublicKey(fs.readFileSync(job.publicKeyFile, 'utf8'));
  const name = await resolveImage(job.store, parseImageRef(job.ref));
  const { manifest } = await readManifest(job.store, name, key);
  const [disk] = manifest.disks;
  if (disk === undefined) throw new Error('the image has no disk');
  const index = parseDiskIndex(
    await readListedFile(job.store, name, manifest, disk.diskIndex),
    disk.diskIndex,
  );
  const plan = planRestore(disk, index, readTargetDisk(job.target, false));
  if (plan.kind !== 'restore') throw new RekindleError('target-unfit', plan.sentence);
  const source = job.source ?? { kind: 'directory', path: job.store };
  const chunks = openStore(source, index.digest);
  await assertChunksPresent(plan, chunks).finally(() => chunks.close());
  return restoreDisk({ plan, path: job.target, source, workers: job.workers });
}

if (import.meta.main) {
  try {
    const job = JSON.parse(process.argv[2] ?? '') as RestoreJob;
    console.log(JSON.stringify(await restoreImage(job)));
  } catch (error) {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
