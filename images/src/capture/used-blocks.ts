import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import type { ByteRange } from '../format/chunk-grid.ts';
import type { Partition } from '../format/partition-table/partition-table.ts';
import { parseDomainLog } from './domain-log.ts';
import { withPartitionNode } from './partition-node.ts';

/** blkid's name of a file system -> the partclone program that knows its bitmap. */
export const partclonePrograms: Readonly<Record<string, string>> = {
  ext2: 'partclone.extfs',
  ext3: 'partclone.extfs',
  ext4: 'partclone.extfs',
  ntfs: 'partclone.ntfs',
  vfat: 'partclone.fat',
  exfat: 'partclone.exfat',
  xfs: 'partclone.xfs',
  btrfs: 'partclone.btrfs',
};

/** Why the used blocks of what blkid calls so are not known; what is not here is just not known. */
const unreadable: Readonly<Record<string, string>> = {
  BitLocker: 'it is encrypted by BitLocker',
  crypto_LUKS: 'it is encrypted by LUKS',
};

/** Which blocks of a volume its file system does not use, or why all of them have to be read. */
export type UsedBlocks =
  | { readonly kind: 'used-blocks'; readonly unused: readonly ByteRange[] }
  | { readonly kind: 'all-blocks'; readonly reason: string };

/** Ranges count from the partition's start. */
export async function findUsedBlocks(
  disk: { readonly path: string; readonly isBlockDevice: boolean },
  partition: Partition,
  fileSystem: string | undefined,
): Promise<UsedBlocks> {
  if (fileSystem === undefined) return { kind: 'all-blocks', reason: 'no file system was recognised' };
  const program = partclonePrograms[fileSystem];
  if (program === undefined)
    return {
      kind: 'all-blocks',
      reason: unreadable[fileSystem] ?? `the used blocks of ${fileSystem} are not known`,
    };
  const mapped = withPartitionNode(disk, partition, (node) =>
    callTool(
      `Reading the used blocks of partition ${partition.number} of ${disk.path}`,
      { command: program, debianPackage: 'partclone' },
      [
        ...['--domain', '--source', node, '--output', '-', '--logfile', '/dev/null'],
        // Its display, quiet or not, is waited for in steps of that many seconds (2 unless said).
        ...['--quiet', '--UI-fresh', '0'],
      ],
    ),
  );
  const result = await mapped.catch((error: unknown) => {
    // A kernel that reads the table of a disk otherwise than we do has no node for the partition.
    if (disk.isBlockDevice && error instanceof RekindleError) return error;
    throw error;
  });
  if (result instanceof RekindleError) return { kind: 'all-blocks', reason: result.message };
  // A dirty, hibernated or mounted file system: its bitmap is no basis for leaving blocks out.
  if (result.status !== 0)
    return { kind: 'all-blocks', reason: `${program} refused: ${lastLine(result.stderr)}` };
  const unused = parseDomainLog(result.stdout.toString(), partition.sizeBytes);
  return 'problem' in unused
    ? { kind: 'all-blocks', reason: `the domain log of ${program} is unusable: ${unused.problem}` }
    : { kind: 'used-blocks', unused };
}

function lastLine(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^Partclone fail|^Error exit/.test(line));
  return (lines.at(-1) ?? 'no reason given').slice(0, 200);
}
