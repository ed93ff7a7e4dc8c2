import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import { readFully } from '../block-device/disk-handle.ts';
import { qemuImg } from './qemu-tools.ts';
import {
  type FileBytes,
  qemuSectorBytes,
  readVirtualDiskFacts,
  type VhdxFacts,
} from './virtual-disk-facts.ts';

export const importFormats = ['raw', 'qcow2', 'vhd', 'vhdx'] as const;
export type ImportFormat = (typeof importFormats)[number];

/** A virtual disk that was looked at and is whole, by itself. */
export interface VirtualDisk {
  readonly path: string;
  readonly format: ImportFormat;
  readonly sizeBytes: number;
  /** Where the file says it. */
  readonly sectorBytes: number | undefined;
  /** When the file was written last: when its content was as it is, unless it was copied carelessly. */
  readonly writtenAt: Date;
  /** Which file it was, and as it was, when it was looked at. */
  readonly state: FileState;
}

export interface FileState {
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly mtimeNs: bigint;
}

/** QEMU calls VHD by the name of the product that had it first. */
export const qemuName = { raw: 'raw', qcow2: 'qcow2', vhd: 'vpc', vhdx: 'vhdx' } as const;
const byExtension: Readonly<Record<string, ImportFormat>> = {
  '.raw': 'raw',
  '.img': 'raw',
  '.qcow2': 'qcow2',
  '.vhd': 'vhd',
  '.avhd': 'vhd',
  '.vhdx': 'vhdx',
  '.avhdx': 'vhdx',
};

const infoSchema = z.object({
  format: z.string(),
  'virtual-size': z.int().positive(),
  encrypted: z.boolean().optional(),
  'backing-filename': z.string().optional(),
  'format-specific': z
    .object({
      data: z.object({ 'data-file': z.string().optional(), corrupt: z.boolean().optional() }).optional(),
    })
    .optional(),
});

/**
 * Looks at a file, read-only, and refuses what would not give a whole disk.
 * @param wanted the format, when the operator says it; else the file's name and its content have to agree
 * @throws RekindleError `usage`
 */
export async function inspectVirtualDisk(file: string, wanted?: ImportFormat): Promise<VirtualDisk> {
  const refuse = (why: string, next: string, cause?: unknown): never => {
    throw new RekindleError('usage', `Importing ${file}: ${why}`, {
      next,
      ...(cause === undefined ? {} : { cause }),
    });
  };
  const stat = fs.statSync(file, { throwIfNoEntry: false, bigint: true });
  if (stat?.isFile() !== true)
    return refuse(stat === undefined ? 'it does not exist' : 'it is no file', 'Name a virtual disk file.');
  const facts = readFacts(file, Number(stat.size));
  if (facts?.differencing === true)
    refuse(
      'it is a differencing disk and holds only what changed since its parent',
      'Merge it with its parent first (Hyper-V: Merge-VHD, or remove the checkpoint), and import the result.',
    );
  const expected = wanted ?? byExtension[path.extname(file).toLowerCase()];
  const format = facts?.format ?? (await detect(file, refuse));
  if (expected !== undefined && expected !== format)
    refuse(
      `it should be ${expected}, and its content is ${format}`,
      `If its content is right: --format ${format}.`,
    );
  const inspected = { path: path.resolve(file), format, writtenAt: stat.mtime, state: stateOf(stat) };
  if (facts?.format === 'vhdx' && facts.sectorBytes !== qemuSectorBytes) {
    assertReadable(facts, Number(stat.size), refuse);
    return { ...inspected, sizeBytes: facts.sizeBytes, sectorBytes: facts.sectorBytes };
  }
  const info = await readInfo(file, format, refuse);
  if (info['backing-filename'] !== undefined)
    refuse(
      `it holds only what changed since ${info['backing-filename']}`,
      'Make one file of the chain first (qemu-img convert), and import that.',
    );
  if (info['format-specific']?.data?.['data-file'] !== undefined)
    refuse('its data are in another file', 'Make one file of it first (qemu-img convert), and import that.');
  if (info.encrypted === true) refuse('it is encrypted', 'Decrypt it first (qemu-img convert).');
  await assertSound(file, format, refuse);
  return {
    ...inspected,
    // QEMU rounds a raw file up to whole sectors.
    sizeBytes: format === 'raw' ? Number(stat.size) : info['virtual-size'],
    sectorBytes: facts?.format === 'vhdx' ? facts.sectorBytes : undefined,
  };
}

const stateOf = ({ ino, size, mtimeNs }: fs.BigIntStats): FileState => ({
  inode: ino,
  sizeBytes: size,
  mtimeNs,
});

/** @throws RekindleError `target-unfit`: the file was written or replaced since it was looked at */
export function assertUnchanged({ path: file, state }: VirtualDisk, cause?: unknown): void {
  const stat = fs.statSync(file, { throwIfNoEntry: false, bigint: true });
  if (stat !== undefined && isDeepStrictEqual(stateOf(stat), state)) return;
  const happened = stat === undefined ? 'removed' : stat.ino === state.inode ? 'written' : 'replaced';
  throw new RekindleError(
    'target-unfit',
    `Importing ${file}: it was ${happened} while it was read, and what was read is of no one moment`,
    {
      next: 'Shut the virtual machine down, or import a copy. There is no new image.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

type Refuse = (why: string, next: string, cause?: unknown) => never;

const notClosed = 'It was not closed properly. Attach it once where it came from';

/** A VHDX that QEMU does not open, and so does not check. */
function assertReadable(facts: VhdxFacts, fileBytes: number, refuse: Refuse): void {
  if (facts.sectorBytes !== 4096)
    refuse(`its sectors have ${facts.sectorBytes} bytes`, 'Sectors of 512 and of 4096 bytes are read.');
  if (facts.logToReplay) refuse('its log is still to be replayed', `${notClosed}, and import it then.`);
  if (facts.endByte > fileBytes)
    refuse(
      `its blocks reach to byte ${facts.endByte}, and it has ${fileBytes}`,
      'It is cut off. Take another copy, or make it anew.',
    );
}

function readFacts(file: string, sizeBytes: number) {
  const fd = fs.openSync(file, 'r');
  try {
    const bytes: FileBytes = {
      sizeBytes,
      read(offset, length) {
        const buffer = Buffer.alloc(length);
        readFully(fd, buffer, offset);
        return buffer;
      },
    };
    return readVirtualDiskFacts(bytes);
  } finally {
    fs.closeSync(fd);
  }
}

/** What QEMU sees in it; a format that is none of ours is refused by name. */
async function detect(file: string, refuse: Refuse): Promise<ImportFormat> {
  const { format } = await readInfo(file, undefined, refuse);
  const found = importFormats.find((each) => qemuName[each] === format);
  return (
    found ?? refuse(`its format is ${format}`, `Known are ${importFormats.join(', ')}: convert it first.`)
  );
}

async function readInfo(file: string, format: ImportFormat | undefined, refuse: Refuse) {
  const named = format === undefined ? [] : ['-f', qemuName[format]];
  const result = await callTool(`Looking at ${file}`, qemuImg, ['info', '--output=json', ...named, file]);
  if (result.status !== 0) {
    const said = result.stderr.trim();
    refuse(
      'qemu-img cannot open it',
      said.includes('lock')
        ? 'It is in use: shut the virtual machine down, or import a copy.'
        : said.includes('log that needs to be replayed')
          ? `${notClosed}, or repair a copy: qemu-img check -r all.`
          : 'It is cut off or damaged. Take another copy, or make it anew.',
      new Error(said),
    );
  }
  return infoSchema.parse(JSON.parse(result.stdout.toString()));
}

/** Statuses of `qemu-img check` (qemu-img(1)). */
const leaksOnly = 3;
const noCheck = 63;

async function assertSound(file: string, format: ImportFormat, refuse: Refuse): Promise<void> {
  if (format === 'raw') return;
  const args = ['check', '-f', qemuName[format], file];
  const { status, stdout, stderr } = await callTool(`Checking ${file}`, qemuImg, args);
  if ([0, leaksOnly, noCheck].includes(status)) return;
  const said = `${stdout.toString()}\n${stderr}`.trim().split('\n').slice(-10).join('\n');
  refuse('qemu-img finds it damaged', 'Take another copy, or make it anew.', new Error(said));
}
