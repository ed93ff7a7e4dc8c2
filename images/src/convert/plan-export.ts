import { RekindleError } from '#base/errors.ts';
import { zeroChunkId } from '../format/chunk-id.ts';
import { chunkAt, chunkCount, type DiskIndex, diskBytes } from '../format/disk-index.ts';

export const exportFormats = ['raw', 'qcow2', 'vhdx'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export interface ExportPlan {
  /** Of the disk that the file will stand for. */
  readonly sizeBytes: number;
  /** Bytes that are not in zero chunks: what is read and written. */
  readonly dataBytes: number;
  /** Room that the file takes at most, where holes take none. */
  readonly fileBytes: number;
}

/** Beside the data: allocation tables of the largest disk that the format is used for. */
const tableShare = { raw: 0, qcow2: 1 / 1024, vhdx: 1 / 1024 };
const tableBytes = { raw: 0, qcow2: 1 << 20, vhdx: 16 << 20 };

/** @throws RekindleError `usage`: the format cannot hold this disk */
export function planExport(index: DiskIndex, sectorBytes: number, format: ExportFormat): ExportPlan {
  const sizeBytes = diskBytes(index);
  const refuse = (why: string): never => {
    throw new RekindleError('usage', `Exporting the disk as ${format}: ${why}`, {
      next: 'Export it as raw.',
    });
  };
  if (format === 'vhdx' && sectorBytes !== 512)
    refuse(`its sectors have ${sectorBytes} bytes, and qemu-img writes VHDX with sectors of 512 bytes only`);
  if (format !== 'raw' && sizeBytes % 512 !== 0)
    refuse(`its ${sizeBytes} bytes are no whole number of sectors`);
  let dataBytes = 0;
  for (let number = 0; number < chunkCount(index); number++) {
    const chunk = chunkAt(index, number);
    if (chunk.id !== zeroChunkId(chunk.sizeBytes, index.digest)) dataBytes += chunk.sizeBytes;
  }
  const tables = Math.ceil(tableBytes[format] + sizeBytes * tableShare[format]);
  return { sizeBytes, dataBytes, fileBytes: dataBytes + tables };
}
