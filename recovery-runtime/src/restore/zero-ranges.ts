import fs from 'node:fs';
import path from 'node:path';
import { callTool } from '#base/run-tool.ts';
import type { DiskHandle } from '#images/block-device/disk-handle.ts';
import { type ByteRange, endOf } from '#images/format/chunk-grid.ts';
import { zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import type { RestorePlan } from './restore-plan.ts';

/**
 * Zeros without sending them: a device that can write zeros by itself (SCSI WRITE SAME or UNMAP, NVMe Write Zeroes,
 * a loop device's file) is told so for whole ranges. `fallocate --punch-hole` on a block device is the kernel's
 * promise that the range reads as zeros afterwards, unmapped where the device allows it, and fails rather than
 * write the zeros one by one. BLKDISCARD promises nothing of that.
 */
const fallocate = { command: 'fallocate', debianPackage: 'util-linux' };

/** Starting a process costs some milliseconds: shorter ranges are written faster. */
const worthBytes = 8 << 20;
/** A device may take long for its answer; an interrupt is heard in between. */
const pieceBytes = 1 << 30;

/** Whether the device can write zeros by itself. Disks kept in files are written as they are. */
export function canZero({ isBlockDevice, direct, path: device }: DiskHandle): boolean {
  if (!isBlockDevice || !direct) return false;
  const name = path.basename(fs.realpathSync(device));
  try {
    return Number(fs.readFileSync(`/sys/class/block/${name}/queue/write_zeroes_max_bytes`, 'utf8')) > 0;
  } catch {
    return false;
  }
}

export interface SlotRange extends ByteRange {
  /** The slots of the range, all of it. */
  readonly slots: readonly number[];
}

/**
 * Ranges that are worth a call of their own, from the slots of the plan's chunks that have to become zero. Nothing
 * else lies within a range: what was found right is not read again, so nothing may be done to it. Pure.
 */
export function planZeroRanges(plan: RestorePlan, isMarked: (slot: number) => boolean): SlotRange[] {
  const ranges: SlotRange[] = [];
  let open: { startByte: number; endByte: number; slots: number[] } | undefined;
  const close = (): void => {
    if (open !== undefined && open.endByte - open.startByte >= worthBytes) {
      const { startByte, endByte, slots } = open;
      ranges.push({ startByte, sizeBytes: endByte - startByte, slots });
    }
    open = undefined;
  };
  for (const [slot, number] of plan.chunks.entries()) {
    const chunk = chunkAt(plan.index, number);
    const isZero = chunk.id === zeroChunkId(chunk.sizeBytes, plan.index.digest);
    const belongs = isZero && isMarked(slot);
    if (!belongs || open?.endByte !== chunk.startByte) close();
    if (!belongs) continue;
    open ??= { startByte: chunk.startByte, endByte: chunk.startByte, slots: [] };
    open.slots.push(slot);
    open.endByte = endOf(chunk);
  }
  close();
  return ranges;
}

/** False when the device would not do it: the zeros are to be written then. */
export async function zeroRange(
  device: string,
  { startByte, sizeBytes }: ByteRange,
  beforePiece: () => void,
): Promise<boolean> {
  for (let done = 0; done < sizeBytes; done += pieceBytes) {
    beforePiece();
    const length = Math.min(pieceBytes, sizeBytes - done);
    const place = ['--offset', String(startByte + done), '--length', String(length)];
    const doing = `Zeroing ${length} bytes at byte ${startByte + done} of ${device}`;
    const args = ['--punch-hole', ...place, device];
    // A tool that is missing is no reason to stop half way: the zeros are written.
    const { status } = await callTool(doing, fallocate, args).catch(() => ({ status: -1 }));
    if (status !== 0) return false;
  }
  return true;
}
