import { expect, test } from 'vitest';
import { planChunkGrid } from '#images/format/chunk-grid.ts';
import { chunkCount, newDiskIndex } from '#images/format/disk-index.ts';
import { assertKeptUntouched } from '#runtime/restore/assert-kept-untouched.ts';
import type { RestorePlan } from '#runtime/restore/restore-plan.ts';

/** The guard that does not believe the plan: nothing that is written may lie in what is kept. */

const MiB = 1 << 20;
const projects = { startByte: 12 * MiB, sizeBytes: 6 * MiB };
const index = newDiskIndex(planChunkGrid(32 * MiB, [projects]), MiB);
const all = Array.from({ length: chunkCount(index) }, (_, number) => number);
const outside = all.filter((number) => number < 12 || number >= 18);

/** A plan that writes these chunks, as worker threads, first or last blocks. */
function plan(
  chunks: readonly number[],
  { head = [], tail = [] }: { readonly head?: readonly number[]; readonly tail?: readonly number[] } = {},
): RestorePlan {
  return {
    kind: 'restore',
    diskNumber: 0,
    target: { sizeBytes: 32 * MiB, logicalSectorBytes: 512 },
    index,
    extent: 'disk',
    survivedBy: 'registered-disk',
    restored: [],
    kept: [{ ...projects, kind: 'volume', what: 'partition 2 "PROJECTS"', reason: 'a data volume' }],
    overwrittenData: [],
    warnings: [],
    chunks: Uint32Array.from(chunks),
    heldBack: { heads: [{ startByte: 0, chunks: head, hasNote: true }], tail },
    relocated: null,
    backupStartByte: null,
    totalBytes: 0,
  };
}

test('everything around what is kept may be written, to its very edges', () => {
  expect(() => assertKeptUntouched(plan(outside, { head: [0], tail: [31] }))).not.toThrow();
});

test.each(all.filter((number) => !outside.includes(number)))('chunk %d lies in it', (number) => {
  const why = /keeps partition 2 "PROJECTS" \(bytes 12582912 to 18874368\) and writes bytes/;
  expect(() => assertKeptUntouched(plan([...outside, number]))).toThrow(why);
  expect(() => assertKeptUntouched(plan(outside, { head: [number] }))).toThrow(why);
  expect(() => assertKeptUntouched(plan(outside, { tail: [number] }))).toThrow(why);
});

test('with nothing kept, everything may be written', () => {
  expect(() => assertKeptUntouched({ ...plan(all), kept: [] })).not.toThrow();
});
