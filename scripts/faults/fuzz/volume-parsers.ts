import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isAllZero } from '#base/bytes.ts';
import { runTool } from '#base/run-tool.ts';
import { readVolumeState } from '#images/capture/volume-state.ts';
import { mutateInPlace } from './mutations.ts';
import type { FuzzedParser } from './parsers.ts';

/** File systems whose own records a capture reads: made by their mkfs, damaged where they are not empty. */
const makers = {
  'state of an NTFS volume': {
    fileSystem: 'ntfs',
    command: 'mkfs.ntfs',
    debianPackage: 'ntfs-3g',
    args: ['-F', '-q', '-c', '512'],
    bytes: 3 << 20,
  },
  'state of an ext4 volume': {
    fileSystem: 'ext4',
    command: 'mkfs.ext4',
    debianPackage: 'e2fsprogs',
    args: ['-F', '-q'],
    bytes: 2 << 20,
  },
  'state of a FAT volume': {
    fileSystem: 'vfat',
    command: 'mkfs.fat',
    debianPackage: 'dosfstools',
    args: ['-F', '16'],
    bytes: 9 << 20,
  },
  'state of a FAT12 volume': {
    fileSystem: 'vfat',
    command: 'mkfs.fat',
    debianPackage: 'dosfstools',
    args: ['-F', '12'],
    bytes: 2 << 20,
  },
} as const;

export const volumeNames = Object.keys(makers) as (keyof typeof makers)[];
export const isVolume = (name: string): name is keyof typeof makers => name in makers;

const sectorBytes = 512;

export async function volumeParser(name: keyof typeof makers): Promise<FuzzedParser> {
  const { fileSystem, command, debianPackage, args, bytes } = makers[name];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-fuzz-'));
  const file = path.join(folder, 'volume');
  let seed: Buffer;
  try {
    fs.writeFileSync(file, '');
    fs.truncateSync(file, bytes);
    await runTool(`making ${fileSystem}`, { command, debianPackage }, [...args, file]);
    seed = fs.readFileSync(file);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  const used = Array.from({ length: bytes / sectorBytes }, (_, sector) => sector * sectorBytes).filter(
    (at) => !isAllZero(seed.subarray(at, at + sectorBytes)),
  );
  const volume = Buffer.from(seed);
  const damaged: number[] = [];
  return {
    name,
    seeds: [seed],
    mutate(random) {
      // The copy is kept: megabytes for every input would be a measure of the garbage collector.
      for (const at of damaged.splice(0)) seed.copy(volume, at, at, at + sectorBytes);
      for (let sectors = 1 + Math.floor(random() * 3); sectors > 0; sectors--) {
        const at = used[Math.floor(random() * used.length)] ?? 0;
        damaged.push(at);
        // The last two bytes of a sector guard an NTFS record: damage there is found at once.
        mutateInPlace(volume.subarray(at, at + sectorBytes - 2), random);
      }
      return volume;
    },
    parse(bytes) {
      readVolumeState(
        (offset, length) => {
          if (offset < 0 || offset + length > bytes.length) throw new RangeError('not on the volume');
          return bytes.subarray(offset, offset + length);
        },
        bytes.length,
        fileSystem,
      );
    },
  };
}
