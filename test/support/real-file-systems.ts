import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MiB, makeBlankDisk, noise, run } from './restore-demo-disk.ts';

/** Real file systems in volume files, made and read by Debian's own tools, with files and deleted files. */
export interface RealFileSystem {
  readonly name: string;
  /** As blkid says it. */
  readonly type: string;
  readonly sizeBytes: number;
  make(volume: string): void;
  /** Puts the files of a folder in, and takes some out again. */
  fill(volume: string, content: string, deleted: readonly string[]): void;
  /** Takes all files out into a folder. */
  takeOut(volume: string, into: string): void;
  /** Debian's checker finds nothing; read-only. */
  check?(volume: string): void;
}

export const deletedFiles = ['deleted-1', 'deleted-2'];

/** Bytes of all files of a content folder that stay. */
export function makeContent(folder: string, fileBytes: number): void {
  fs.mkdirSync(folder);
  for (const name of ['deleted-1', 'kept-1', 'deleted-2', 'kept-2'])
    fs.writeFileSync(path.join(folder, name), noise(`${folder} ${name}`, fileBytes));
  fs.writeFileSync(path.join(folder, 'text'), 'the same line again and again\n'.repeat(2000));
  fs.writeFileSync(path.join(folder, 'small'), 'smaller than a block');
}

export function hashesOf(folder: string): Record<string, string> {
  const files = fs.readdirSync(folder).filter((name) => fs.statSync(path.join(folder, name)).isFile());
  return Object.fromEntries(
    files.sort().map((name) => [
      name,
      createHash('sha256')
        .update(fs.readFileSync(path.join(folder, name)))
        .digest('hex'),
    ]),
  );
}

/** Mounted for the time of `use`, by the kernel or by a FUSE program. */
function mounted(mount: readonly string[], unmount: string, use: (mountPoint: string) => void): void {
  const mountPoint = fs.mkdtempSync('/tmp/rekindle-test-mount-');
  const [command = '', ...args] = mount;
  run(command, ...args, mountPoint);
  try {
    use(mountPoint);
  } finally {
    run(unmount, mountPoint);
    fs.rmdirSync(mountPoint);
  }
}

type ByMount = Pick<RealFileSystem, 'fill' | 'takeOut'>;

function byMount(
  write: (volume: string) => string[],
  read: (volume: string) => string[],
  unmount: string,
): ByMount {
  return {
    fill(volume, content, deleted) {
      mounted(write(volume), unmount, (mountPoint) => {
        run('cp', '-r', `${content}/.`, mountPoint);
        run('sync', '-f', mountPoint);
        for (const name of deleted) fs.rmSync(path.join(mountPoint, name));
      });
    },
    takeOut(volume, into) {
      mounted(read(volume), unmount, (mountPoint) => {
        const files = fs
          .readdirSync(mountPoint)
          .filter((name) => fs.statSync(path.join(mountPoint, name)).isFile());
        for (const name of files) fs.copyFileSync(path.join(mountPoint, name), path.join(into, name));
      });
    },
  };
}

const byKernel = (readOptions: string): ByMount =>
  byMount(
    (volume) => ['mount', '-o', 'loop', volume],
    (volume) => ['mount', '-o', `loop,${readOptions}`, volume],
    'umount',
  );
const byNtfs3g = byMount(
  (volume) => ['ntfs-3g', volume],
  (volume) => ['ntfs-3g', '-o', 'ro', volume],
  'umount',
);
/** exfat-fuse wants a device. */
function onLoop<T>(volume: string, use: (device: string) => T): T {
  const device = run('losetup', '--show', '--find', volume).trim();
  try {
    return use(device);
  } finally {
    run('losetup', '--detach', device);
  }
}
const onExfat = byMount(
  (device) => ['mount.exfat-fuse', device],
  (device) => ['mount.exfat-fuse', '-o', 'ro', device],
  'umount',
);
const byExfatFuse: ByMount = {
  fill: (volume, content, deleted) => onLoop(volume, (device) => onExfat.fill(device, content, deleted)),
  takeOut: (volume, into) => onLoop(volume, (device) => onExfat.takeOut(device, into)),
};
const byMtools: ByMount = {
  fill(volume, content, deleted) {
    const files = fs.readdirSync(content).map((name) => path.join(content, name));
    run('mcopy', '-i', volume, ...files, '::');
    run('mdel', '-i', volume, ...deleted.map((name) => `::${name}`));
  },
  takeOut: (volume, into) => void run('mcopy', '-n', '-i', volume, '::*', into),
};

const made = (sizeBytes: number, command: string, ...args: string[]) => ({
  sizeBytes,
  make(volume: string) {
    makeBlankDisk(volume, sizeBytes);
    run(command, ...args, volume);
  },
});

const ext = (type: string): RealFileSystem => ({
  name: type,
  type,
  ...made(48 * MiB, `mkfs.${type}`, '-q', '-F'),
  ...byKernel(type === 'ext2' ? 'ro' : 'ro,noload'),
  check: (volume) => void run('e2fsck', '-f', '-n', volume),
});
const fat = (bits: number, sizeMiB: number): RealFileSystem => ({
  name: `FAT${bits}`,
  type: 'vfat',
  ...made(sizeMiB * MiB, 'mkfs.vfat', '-F', String(bits), ...(bits === 32 ? ['-s', '1'] : [])),
  ...byMtools,
  check: (volume) => void run('fsck.vfat', '-n', volume),
});

export const realFileSystems: readonly RealFileSystem[] = [
  ext('ext2'),
  ext('ext3'),
  ext('ext4'),
  {
    name: 'NTFS',
    type: 'ntfs',
    ...made(48 * MiB, 'mkfs.ntfs', '-F', '-q'),
    ...byNtfs3g,
    check: (volume) => void run('ntfsfix', '--no-action', volume),
  },
  fat(12, 12),
  fat(16, 40),
  fat(32, 64),
  {
    name: 'exFAT',
    type: 'exfat',
    ...made(48 * MiB, 'mkfs.exfat'),
    ...byExfatFuse,
    check: (volume) => void run('fsck.exfat', '-n', volume),
  },
  {
    name: 'XFS',
    type: 'xfs',
    ...made(320 * MiB, 'mkfs.xfs', '-q', '-f'),
    ...byKernel('ro,norecovery,nouuid'),
    check: (volume) => void run('xfs_repair', '-n', '-f', volume),
  },
  {
    name: 'btrfs',
    type: 'btrfs',
    ...made(160 * MiB, 'mkfs.btrfs', '-q', '-f'),
    ...byKernel('ro'),
    check: (volume) => void run('btrfs', 'check', '--readonly', volume),
  },
];
