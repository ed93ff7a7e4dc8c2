import fs from 'node:fs';
import path from 'node:path';

/** A mount whose file system lies on a disk: on itself, a partition, or what is stacked above (LVM, RAID, loop). */
export interface MountOfDisk {
  readonly device: string;
  readonly mountPoint: string;
  readonly readOnly: boolean;
}

/** Mounts of this mount namespace, and swap areas, which count as written to. */
export function mountsOfDisk(disk: string): MountOfDisk[] {
  const numbers = deviceNumbersAbove(disk);
  const mounts = parseMountInfo(fs.readFileSync('/proc/self/mountinfo', 'utf8')).filter(
    ({ number, device }) => numbers.has(number) || numbers.has(numberOf(device) ?? ''),
  );
  const swaps = fs
    .readFileSync('/proc/swaps', 'utf8')
    .split('\n')
    .slice(1)
    .flatMap((line) => line.split(/\s+/)[0] || [])
    .filter((device) => numbers.has(numberOf(device) ?? ''))
    .map((device) => ({ device, mountPoint: 'swap', readOnly: false }));
  return [...mounts.map(({ device, mountPoint, readOnly }) => ({ device, mountPoint, readOnly })), ...swaps];
}

/**
 * proc_pid_mountinfo(5). Whether the file system can be written to is its own option (the last column): a
 * read-only bind mount of a writable file system is no reason for trust.
 */
export function parseMountInfo(text: string): (MountOfDisk & { readonly number: string })[] {
  return text.split('\n').flatMap((line) => {
    const [mount, fileSystem] = line.split(' - ').map((part) => part.split(' '));
    const [, , number, , mountPoint] = mount ?? [];
    const [, device, options] = fileSystem ?? [];
    if (number === undefined || mountPoint === undefined || device === undefined) return [];
    return [
      {
        number,
        device: fromOctal(device),
        mountPoint: fromOctal(mountPoint),
        readOnly: (options ?? '').split(',').includes('ro'),
      },
    ];
  });
}

const fromOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

function numberOf(device: string): string | undefined {
  const stat = fs.statSync(device, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isBlockDevice()) return undefined;
  // makedev(3): 12 bits of major, 20 of minor.
  const major = (stat.rdev >>> 8) & 0xfff;
  const minor = (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}

/** The disk, its partitions, and everything that holds one of them, as `major:minor`. */
function deviceNumbersAbove(disk: string): ReadonlySet<string> {
  const real = fs.realpathSync(disk);
  const start = fs.statSync(real).isBlockDevice() ? [path.basename(real)] : [];
  const numbers = new Set<string>();
  const names = [...start, ...loopsBackedBy(real)];
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const folder = `/sys/class/block/${name}`;
    const number = readText(path.join(folder, 'dev'));
    if (number === undefined || numbers.has(number)) continue;
    numbers.add(number);
    const inside = readNames(folder).filter((each) => fs.existsSync(path.join(folder, each, 'partition')));
    names.push(...inside, ...readNames(path.join(folder, 'holders')), ...loopsBackedBy(`/dev/${name}`));
  }
  return numbers;
}

function loopsBackedBy(file: string): string[] {
  return readNames('/sys/class/block').filter(
    (name) => readText(`/sys/class/block/${name}/loop/backing_file`) === file,
  );
}

function readNames(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

/** Devices come and go while we look. */
function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
