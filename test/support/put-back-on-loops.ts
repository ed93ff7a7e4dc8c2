import fs from 'node:fs';
import { expect } from 'vitest';
import type { CapturedDisk } from '#images/capture/capture-disk.ts';
import { parseGptCopy } from '#images/format/partition-table/gpt.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { attachLoop } from './loop-device.ts';
import { noise, run, toImageDisk } from './restore-demo-disk.ts';

/** Our own restore of a captured disk onto loop devices that hold noise, compared with the disk itself. */

export interface PutBack {
  readonly captured: CapturedDisk;
  /** Folder of the store. */
  readonly store: string;
  /** The disk that was captured. */
  readonly file: string;
}

/** @returns the disk afterwards, or why it was refused */
async function onto(
  { captured, store, file }: PutBack,
  moreBytes: number,
  look: (device: string) => void = () => {},
): Promise<{ is: Buffer; refused: string | null }> {
  const target = `${file}.target`;
  fs.writeFileSync(target, noise('an older use', captured.sizeBytes + moreBytes));
  using loop = attachLoop(target, { sectorBytes: captured.logicalSectorBytes });
  const plan = planRestore(toImageDisk(captured), captured.index, readTargetDisk(loop.path, false));
  if (plan.kind === 'restore') {
    const source = { kind: 'directory', path: store } as const;
    await restoreDisk({ plan, path: loop.path, source, workers: 1 });
    look(loop.path);
  }
  const is = fs.readFileSync(target);
  fs.rmSync(target);
  return { is, refused: plan.kind === 'restore' ? null : plan.sentence };
}

/** Onto a disk of the same size: every byte is the image's. */
export async function expectPutBack(what: PutBack): Promise<void> {
  const { is, refused } = await onto(what, 0);
  expect(refused).toBeNull();
  expect(is.equals(fs.readFileSync(what.file))).toBe(true);
}

/** Everything that sfdisk knows about the partitions of a device: slots, places, types, GUIDs, names. */
export function tableBySfdisk(device: string): unknown {
  const { partitiontable } = JSON.parse(run('sfdisk', '--json', device)) as {
    partitiontable: { partitions?: { node: string }[] };
  };
  return partitiontable.partitions?.map(({ node, ...facts }) => ({
    ...facts,
    slot: node.slice(device.length),
  }));
}

/** First byte that is the image's: the primary entries; or what is behind them, where they have to be made anew. */
function entriesOrBehind({ logicalSectorBytes, partitionTable }: CapturedDisk, was: Buffer): number {
  const disk = {
    sizeBytes: was.length,
    sectorBytes: logicalSectorBytes,
    read: (offset: number, length: number) => was.subarray(offset, offset + length),
  };
  return parseGptCopy(disk, 1).valid
    ? 2 * logicalSectorBytes
    : Buffer.byteLength(partitionTable.primary, 'base64');
}

const backupBytes = (sectorBytes: number): number => sectorBytes + 256 * 128;

/**
 * Onto a larger disk: the same table for who reads it, and every byte the image's but for LBA 0, the headers of the
 * GPT and its old and new backup. What lies behind the image's own end stays as it was.
 * @param table of the disk that was captured, by sfdisk; undefined where it reads none
 */
export async function expectPutBackOnLarger(what: PutBack, table: unknown): Promise<void> {
  const { captured, file } = what;
  const moreBytes = 128 << 10;
  const isGpt = captured.partitionTable.kind === 'gpt';
  const { is, refused } = await onto(what, moreBytes, (device) => {
    if (table !== undefined) expect(tableBySfdisk(device)).toEqual(table);
    if (isGpt) expect(run('sgdisk', '--verify', device)).toContain('No problems found');
  });
  expect(refused).toBeNull();
  const was = fs.readFileSync(file);
  const [from, to] = isGpt
    ? [entriesOrBehind(captured, was), was.length - backupBytes(captured.logicalSectorBytes)]
    : [0, was.length];
  expect(is.subarray(from, to).equals(was.subarray(from, to))).toBe(true);
  const behind = noise('an older use', is.length).subarray(was.length);
  const untouched = isGpt ? moreBytes - backupBytes(captured.logicalSectorBytes) : moreBytes;
  expect(is.subarray(was.length, was.length + untouched).equals(behind.subarray(0, untouched))).toBe(true);
}
