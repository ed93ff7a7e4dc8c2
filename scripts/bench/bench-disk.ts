import { createCipheriv } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';

/**
 * The disk that the scenarios work on: GPT, one ext4 partition, 57 % used. Its files are this machine's own
 * programs and documents, then tables of a made-up process database; together they compress to about 30 %, as
 * a station's system volume does.
 */
export interface BenchDisk {
  /** The whole disk, a sparse file. */
  readonly disk: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly partition: { readonly startByte: number; readonly sizeBytes: number };
}

export interface DiskSize {
  readonly sizeBytes: number;
  readonly contentBytes: number;
}

const MiB = 1 << 20;
const GiB = 1024 * MiB;
export const fullSize: DiskSize = { sizeBytes: 4 * GiB, contentBytes: 2.25 * GiB };
export const quickSize: DiskSize = { sizeBytes: 512 * MiB, contentBytes: 288 * MiB };

const programsShare = 0.78;
const largestFile = 48 * MiB;

export async function makeBenchDisk(folder: string, size: DiskSize): Promise<BenchDisk> {
  const content = path.join(folder, 'content');
  const disk = path.join(folder, 'station.img');
  const partition = { startByte: MiB, sizeBytes: size.sizeBytes - 2 * MiB };
  try {
    let used = copyPrograms(path.join(content, 'programs'), size.contentBytes * programsShare);
    used += writeTables(path.join(content, 'tables'), size.contentBytes - used);
    makeSparseFile(disk, size.sizeBytes);
    const extent = `--new=1:2048:${(partition.startByte + partition.sizeBytes) / 512 - 1}`;
    await runTool('making the test disk', { command: 'sgdisk', debianPackage: 'gdisk' }, [
      '--disk-guid=11111111-2222-4333-8444-555555555555',
      extent,
      disk,
    ]);
    await runTool('filling the test disk', { command: 'mkfs.ext4', debianPackage: 'e2fsprogs' }, [
      ...['-q', '-F', '-b', '4096', '-m', '0', '-L', 'root', '-d', content],
      ...['-E', `offset=${partition.startByte},nodiscard,lazy_itable_init=0,lazy_journal_init=0`],
      disk,
      `${partition.sizeBytes / 1024}k`,
    ]);
    return { disk, sizeBytes: size.sizeBytes, usedBytes: used, partition };
  } finally {
    fs.rmSync(content, { recursive: true, force: true });
  }
}

export function makeSparseFile(file: string, sizeBytes: number): void {
  fs.rmSync(file, { force: true });
  fs.closeSync(fs.openSync(file, 'wx'));
  fs.truncateSync(file, sizeBytes);
}

/** Regular files below /usr; another round has every byte changed, so that no two chunks are the same. */
function copyPrograms(to: string, budget: number): number {
  fs.mkdirSync(to, { recursive: true });
  let copied = 0;
  for (let round = 0; copied < budget; round++) {
    const before = copied;
    let number = 0;
    for (const file of filesBelow('/usr')) {
      if (copied >= budget) break;
      const bytes = fs.readFileSync(file);
      if (round > 0) for (let at = 0; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) ^ round;
      const folder = path.join(to, `${round}-${Math.floor(number / 1000)}`);
      if (number % 1000 === 0) fs.mkdirSync(folder);
      fs.writeFileSync(path.join(folder, `${number++}-${path.basename(file)}`.slice(0, 200)), bytes);
      copied += bytes.length;
    }
    if (copied === before) throw new Error('there are no files below /usr to fill the test disk with');
  }
  return copied;
}

function* filesBelow(folder: string): Generator<string> {
  const entries = fs.readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(file);
    else if (entry.isFile() && fs.statSync(file).size <= largestFile) yield file;
  }
}

/** Pages of 8 KiB: a row number, a time stamp, measured values of which the low bits are noise. */
function writeTables(to: string, budget: number): number {
  fs.mkdirSync(to, { recursive: true });
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const fileBytes = 32 * MiB;
  let written = 0;
  for (let number = 0; written < budget; number++) {
    const table = Buffer.alloc(fileBytes);
    const low = noise.update(Buffer.alloc(fileBytes / 16));
    for (let row = 0; row < fileBytes / 32; row++) {
      const at = row * 32;
      table.writeUInt32LE(number * (fileBytes / 32) + row, at);
      table.writeUInt32LE(1_700_000_000 + row, at + 4);
      table.writeUInt16LE(0x4248, at + 10);
      table[at + 8] = low[row * 2] ?? 0;
      table[at + 16] = low[row * 2 + 1] ?? 0;
    }
    fs.writeFileSync(path.join(to, `table-${number}.db`), table);
    written += fileBytes;
  }
  return written;
}
