/** What is mounted and swapped on, from procfs. */
export interface Mount {
  /** `8:2`; a number without a device behind it for btrfs, overlay and network file systems. */
  readonly number: string;
  readonly mountPoint: string;
  readonly type: string;
  /** `/dev/sda2`, `server:/export`, or whatever the file system calls it. */
  readonly source: string;
  readonly options: string;
}

/** /proc/self/mountinfo (proc(5)), in the order of mounting. */
export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line): Mount[] => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , number, , mountPoint] = left.split(' ');
    const [type, source = '', options = ''] = right.split(' ');
    if (number === undefined || mountPoint === undefined || type === undefined || type === '') return [];
    return [
      {
        number,
        mountPoint: decodeOctal(mountPoint),
        type,
        source: decodeOctal(source),
        options: decodeOctal(options),
      },
    ];
  });
}

/** Paths of /proc/swaps, files and devices. */
export function parseSwaps(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => line.split(/\s+/).slice(0, 1))
    .filter((path) => path !== '')
    .map(decodeOctal);
}

/** The mount that a path lies on: the longest mount point above it, the last one where two are equal. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const above = mounts.filter(
    ({ mountPoint }) => mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`),
  );
  return above.reduce<Mount | undefined>(
    (best, mount) => (best === undefined || mount.mountPoint.length >= best.mountPoint.length ? mount : best),
    undefined,
  );
}

/** The kernel writes blanks, tabs, line ends and backslashes as three octal digits. */
function decodeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
