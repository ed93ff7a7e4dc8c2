import { type BaseBlock, baseBlockBytes, baseSectorBytes, fileTypes, parseBaseBlock } from './base-block.ts';

/** Bytes that a log wants to have at a place in the hive bins. */
export interface DirtyPage {
  /** From the start of the hive bins. */
  readonly offset: number;
  readonly bytes: Buffer;
}

/** A log of Windows up to 8: everything that one write was to change. */
export interface OldLog {
  readonly base: BaseBlock;
  readonly baseSector: Buffer;
  readonly pages: readonly DirtyPage[];
}

const pageBytes = 512;

/** Null: it is empty, unfinished, damaged, or of the newer format. */
export function parseOldLog(log: Buffer): OldLog | null {
  const base = parseBaseBlock(log);
  if (base === null || base.fileType !== fileTypes.oldLog || !base.checksumRight) return null;
  if (base.primarySequence !== base.secondarySequence) return null;
  const sectorBytes = log.readUInt32LE(44) * baseSectorBytes;
  if (sectorBytes === 0 || sectorBytes > baseBlockBytes) return null;
  const bits = base.hiveBinsBytes / pageBytes;
  const vectorBytes = 4 + Math.ceil(bits / 8);
  if (log.toString('latin1', sectorBytes, sectorBytes + 4) !== 'DIRT') return null;
  let from = sectorBytes + Math.ceil(vectorBytes / sectorBytes) * sectorBytes;
  const pages: DirtyPage[] = [];
  for (let bit = 0; bit < bits; bit++) {
    const byte = log[sectorBytes + 4 + (bit >> 3)] ?? 0;
    if ((byte & (1 << (bit & 7))) === 0) continue;
    if (from + pageBytes > log.length) return null;
    pages.push({ offset: bit * pageBytes, bytes: log.subarray(from, from + pageBytes) });
    from += pageBytes;
  }
  return { base, baseSector: log.subarray(0, baseSectorBytes), pages };
}
