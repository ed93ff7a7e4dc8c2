/** Where everything lies on the demo station's disk. Pure values; sizes and positions in bytes. */

const MiB = 1024 * 1024;

export const sectorSize = 512;
export const diskBytes = 1024 * MiB;
export const diskGuid = '52454b49-4e44-4c45-8000-000000000000';

export interface DemoPartition {
  readonly number: number;
  /** GPT partition name. */
  readonly name: string;
  /** sgdisk's short type code. */
  readonly typeCode: 'ef02' | 'ef00' | '8300' | '0700';
  readonly guid: string;
  readonly firstByte: number;
  readonly byteLength: number;
}

const sizes = [
  { name: 'BIOSBOOT', typeCode: 'ef02', byteLength: 1 * MiB },
  { name: 'ESP', typeCode: 'ef00', byteLength: 64 * MiB },
  { name: 'SYSTEM', typeCode: '8300', byteLength: 640 * MiB },
  // The last MiB of the disk is the second partition table's.
  { name: 'PROJECTS', typeCode: '0700', byteLength: (1024 - 1 - 1 - 64 - 640 - 1) * MiB },
] as const;

export type DemoPartitionName = (typeof sizes)[number]['name'];

export function planDemoPartitions(): Readonly<Record<DemoPartitionName, DemoPartition>> {
  let firstByte = 1 * MiB;
  const partitions = sizes.map((size, index) => {
    const partition = { ...size, number: index + 1, guid: `${diskGuid.slice(0, -1)}${index + 1}`, firstByte };
    firstByte += size.byteLength;
    return [size.name, partition] as const;
  });
  return Object.fromEntries(partitions) as Record<DemoPartitionName, DemoPartition>;
}

/** Arguments of sgdisk that make an empty file of `diskBytes` into this disk. */
export function planSgdiskArguments(disk: string): string[] {
  const partitions = Object.values(planDemoPartitions()).flatMap((partition) => {
    const first = partition.firstByte / sectorSize;
    const last = first + partition.byteLength / sectorSize - 1;
    return [
      `--new=${partition.number}:${first}:${last}`,
      `--typecode=${partition.number}:${partition.typeCode}`,
      `--change-name=${partition.number}:${partition.name}`,
      `--partition-guid=${partition.number}:${partition.guid}`,
    ];
  });
  return ['--clear', `--disk-guid=${diskGuid}`, ...partitions, disk];
}
