import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { MiB, makeBlankDisk, noise, run, writeAt } from './restore-demo-disk.ts';

/** Disks as stations have them, partitioned by sgdisk and sfdisk. All of them hold noise, gaps included. */
export interface RealDisk {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sectorBytes: 512 | 4096;
  /** Partitions a disk file, or a loop device with 4096-byte sectors. */
  partition(disk: string): void;
  /** What has happened to the table since. */
  damage?(disk: string): void;
  /** What a capture has to say about it. */
  readonly warnings?: readonly RegExp[];
  readonly kind: 'gpt' | 'mbr' | 'none';
  /** Types as our manifest writes them, in slot order; other facts are compared with what sfdisk says. */
  readonly types: readonly string[];
}

const sfdisk = (disk: string, ...lines: string[]): void =>
  void execFileSync('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk], {
    input: `${lines.join('\n')}\n`,
    stdio: ['pipe', 'ignore', 'pipe'],
  });

const linux = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const basicData = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7';
const esp = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';

/** Two data partitions on a GPT. */
const twoOnGpt = (disk: string): void =>
  void run('sgdisk', '--new=1:2048:+3M', '--new=2:0:0', '--typecode=2:0700', disk);

function zero(disk: string, startByte: number, sizeBytes: number): void {
  writeAt(disk, Buffer.alloc(sizeBytes), startByte);
}

export const realDisks: readonly RealDisk[] = [
  {
    name: 'GPT, slots in another order than on the disk, a gap between, 512-byte sectors',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, esp, basicData],
    partition: (disk) =>
      void run(
        'sgdisk',
        ...['--new=4:18432:+2M', '--typecode=4:0700', '--change-name=4:PROJECTS'],
        ...['--new=2:2048:+3M', '--typecode=2:EF00', '--new=1:10240:+1M', disk],
      ),
  },
  {
    name: 'GPT with 4096-byte sectors (4Kn)',
    sizeBytes: 16 * MiB,
    sectorBytes: 4096,
    kind: 'gpt',
    types: [esp, basicData],
    partition: (disk) =>
      void run('sgdisk', '--new=1:256:+4M', '--typecode=1:EF00', '--new=2:0:0', '--typecode=2:0700', disk),
  },
  {
    name: 'GPT with 256 entries, on a disk of an odd number of sectors',
    sizeBytes: 8 * MiB + 12_345 * 512,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, linux],
    partition: (disk) =>
      void run(
        'sgdisk',
        ...['--resize-table=256', '--set-alignment=1', '--new=1:66:5000', '--new=200:5001:0', disk],
      ),
  },
  {
    name: 'MBR aligned to cylinders: first partition at sector 63',
    sizeBytes: 16_065 * 512,
    sectorBytes: 512,
    kind: 'mbr',
    types: ['07', '0C'],
    partition: (disk) =>
      sfdisk(disk, 'label: dos', 'start=63, size=8001, type=7, bootable', 'start=8064, size=8001, type=c'),
  },
  {
    name: 'MBR with logical partitions, cylinder-aligned, each behind its boot record',
    sizeBytes: 64_260 * 512,
    sectorBytes: 512,
    kind: 'mbr',
    types: ['07', '83', '82', '0B'],
    partition: (disk) =>
      sfdisk(
        disk,
        'label: dos',
        'start=63, size=16002, type=7, bootable',
        'start=16065, size=48195, type=5',
        'start=16128, size=10000, type=83',
        'start=32193, size=2000, type=82',
        'start=48258, size=16002, type=b',
      ),
  },
  {
    name: 'MBR, the extended container (LBA) in the last slot, a primary behind nothing',
    sizeBytes: 16 * MiB,
    sectorBytes: 512,
    kind: 'mbr',
    types: ['83', '83', '83'],
    partition: (disk) =>
      sfdisk(
        disk,
        'label: dos',
        'start=2048, size=4096, type=83',
        `${disk}4 : start=8192, size=20480, type=f`,
        `${disk}5 : start=10240, size=4096, type=83`,
        `${disk}6 : start=16384, size=4096, type=83`,
      ),
  },
  {
    name: 'MBR with 4096-byte sectors',
    sizeBytes: 16 * MiB,
    sectorBytes: 4096,
    kind: 'mbr',
    types: ['07'],
    partition: (disk) => sfdisk(disk, 'label: dos', 'start=256, size=2048, type=7'),
  },
  {
    name: 'hybrid MBR: the GPT counts',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, basicData],
    warnings: [/LBA 0 is a hybrid MBR/],
    partition(disk) {
      twoOnGpt(disk);
      run('sgdisk', '--hybrid=2', disk);
    },
  },
  {
    name: 'damaged primary GPT: the backup counts',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, basicData],
    warnings: [/CRC of the entries at LBA 2 is wrong/],
    partition: twoOnGpt,
    damage: (disk) => zero(disk, 2 * 512 + 40, 8),
  },
  {
    name: 'LBA 0 and primary GPT overwritten: the backup counts',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, basicData],
    warnings: [/no GPT signature at LBA 1/],
    partition: twoOnGpt,
    damage: (disk) => zero(disk, 0, 34 * 512),
  },
  {
    name: 'damaged backup GPT',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, basicData],
    warnings: [/no GPT signature at LBA 24575/],
    partition: twoOnGpt,
    damage: (disk) => zero(disk, 12 * MiB - 512, 512),
  },
  {
    name: 'a GPT of a smaller disk, copied by sectors',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'gpt',
    types: [linux, basicData],
    warnings: [/backup GPT does not end where the disk ends/],
    partition(disk) {
      const small = makeBlankDisk(`${disk}.small`, 10 * MiB);
      twoOnGpt(small);
      writeAt(disk, fs.readFileSync(small), 0);
      fs.rmSync(small);
    },
  },
  {
    name: 'an MBR over the remains of a GPT',
    sizeBytes: 12 * MiB,
    sectorBytes: 512,
    kind: 'mbr',
    types: ['07'],
    warnings: [/GPT of an older use/],
    partition(disk) {
      const other = makeBlankDisk(`${disk}.mbr`, 12 * MiB);
      sfdisk(other, 'label: dos', 'start=4096, size=8192, type=7');
      twoOnGpt(disk);
      writeAt(disk, fs.readFileSync(other).subarray(0, 512), 0);
      fs.rmSync(other);
    },
  },
  {
    name: 'a protective MBR without any GPT',
    sizeBytes: 8 * MiB,
    sectorBytes: 512,
    kind: 'none',
    types: [],
    warnings: [/no partition table is readable/],
    partition(disk) {
      twoOnGpt(disk);
      zero(disk, 512, 33 * 512);
      zero(disk, 8 * MiB - 33 * 512, 33 * 512);
    },
  },
  {
    name: 'no partition table',
    sizeBytes: 3 * MiB + 512,
    sectorBytes: 512,
    kind: 'none',
    types: [],
    warnings: [/no partition table is readable/],
    partition: () => {},
  },
];

/** What sfdisk, which is not ours, says about the partitions of a loop device. */
export function partitionsBySfdisk(
  device: string,
  sectorBytes: number,
): { number: number; startByte: number; sizeBytes: number }[] {
  const said = JSON.parse(run('sfdisk', '--json', device)) as {
    partitiontable: { partitions?: { node: string; start: number; size: number; type: string }[] };
  };
  const extended = ['5', 'f', '85'];
  return (said.partitiontable.partitions ?? [])
    .filter(({ type }) => !extended.includes(type))
    .map(({ node, start, size }) => ({
      number: Number(/(\d+)$/.exec(node.slice(device.length))?.[1]),
      startByte: start * sectorBytes,
      sizeBytes: size * sectorBytes,
    }));
}

/** Noise over the whole disk, before it is partitioned. */
export function makeNoisyDisk(file: string, { sizeBytes, name }: RealDisk): string {
  const disk = makeBlankDisk(file, sizeBytes);
  writeAt(disk, noise(name, sizeBytes), 0);
  // A boot record's signature or a table in noise would be chance.
  zero(disk, 0, 34 * 512);
  return disk;
}
