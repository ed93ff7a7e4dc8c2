import fs from 'node:fs';
import os from 'node:os';
import sea from 'node:sea';
import { Worker } from 'node:worker_threads';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex, parseDiskIndex } from '#images/format/disk-index.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { listImages } from '#images/stores/image-folder.ts';
import { verifyImages } from '#images/upkeep/verify.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import type { BareLoopData } from './bare-loop.ts';
import { benchImageDisk, readDescribedDisk } from './bench-image.ts';

/**
 * One engine of ours in a process of its own, for the benchmarks; the last line of its output is what it has to
 * say about the run. `capture DISK STORE INDEX`, `restore STORE|STOREREF.json INDEX TARGET`, `verify STORE PUBLICKEY`,
 * `limit STORE INDEX`.
 */
const startedAt = performance.now();
const sinceStart = (): number => (performance.now() - startedAt) / 1000;
run(process.argv.slice(2)).then(
  (facts) => console.log(JSON.stringify({ facts })),
  (error: unknown) => {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  },
);

function run([task, first = '', second = '', third = '']: readonly string[]): Promise<
  Record<string, number>
> {
  switch (task) {
    case 'capture':
      return capture(first, second, third);
    case 'verify':
      return verify(first, second);
    case 'limit':
      return limit(first, second);
    default:
      return restore(first, second, third);
  }
}

async function capture(disk: string, store: string, indexFile: string): Promise<Record<string, number>> {
  fs.mkdirSync(store, { recursive: true });
  await using announcement = await announceCapture(store);
  const { index, stats, sizeBytes, logicalSectorBytes, partitionTable, volumes } = await captureDisk({
    path: disk,
    store: announcement.store,
  });
  fs.writeFileSync(indexFile, formatDiskIndex(index));
  fs.writeFileSync(
    `${indexFile}.json`,
    JSON.stringify({ sizeBytes, logicalSectorBytes, partitionTable, volumes }),
  );
  return { ...stats };
}

async function restore(store: string, indexFile: string, target: string): Promise<Record<string, number>> {
  const source: StoreRef = store.endsWith('.json')
    ? JSON.parse(fs.readFileSync(store, 'utf8'))
    : { kind: 'directory', path: store };
  const index = parseDiskIndex(fs.readFileSync(indexFile), indexFile);
  const plan = planRestore(
    benchImageDisk(readDescribedDisk(indexFile), 'bench.caibx'),
    index,
    readTargetDisk(target, false),
  );
  if (plan.kind !== 'restore') throw new Error(plan.sentence);
  let readBackFrom: number | undefined;
  const result = await restoreDisk({
    plan,
    path: target,
    source,
    onProgress({ phase }) {
      if (phase === 'verifying') readBackFrom ??= sinceStart();
    },
  });
  const total = sinceStart();
  return {
    // Everything is written, and was hashed before it was written; the rest is reading back.
    readBackSeconds: total - (readBackFrom ?? total),
    fetchedBytes: result.bytes.fetched,
    writtenBytes: result.bytes.written,
    verifiedBytes: result.bytes.verified,
  };
}

async function verify(store: string, keyFile: string): Promise<Record<string, number>> {
  const publicKey = parsePublicKey(fs.readFileSync(keyFile, 'utf8'));
  const names = await listImages(store);
  const { chunks, bytes, seconds, bad } = await verifyImages({ store, publicKey, names });
  if (bad.length > 0) throw new Error(`${bad.length} chunks are bad: ${bad[0]?.reason}`);
  return { chunks, bytes, seconds };
}

/** The slowest of as many bare loops as there are cores. */
async function limit(store: string, index: string): Promise<Record<string, number>> {
  const shares = os.availableParallelism();
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const source = sea.getAsset('bare-loop.cjs', 'utf8');
  const one = (share: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const data: BareLoopData = { store, index, share, shares, ready };
      new Worker(source, { eval: true, workerData: data }).once('message', resolve).once('error', reject);
    });
  const seconds = await Promise.all(Array.from({ length: shares }, (_, share) => one(share)));
  return { seconds: Math.max(...seconds) };
}
