import { RekindleError } from '#base/errors.ts';

/**
 * Writer of the "newc" cpio format that the kernel unpacks as initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Same entries, same bytes: sorted by path,
 * owner root, time zero, inode numbers counted.
 */
export type CpioEntry =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** Only for one that is to be empty: those above a file come by themselves. */
  | { readonly kind: 'directory'; readonly path: string };

const fileType = { directory: 0o040000, file: 0o100000, symlink: 0o120000 };
const alignment = 4;

/**
 * Formats an archive, directories above the entries included. Its length is a multiple of four: another
 * archive that is not compressed may follow.
 * @throws RekindleError `unexpected` for a path twice or one that is not relative and plain.
 */
export function formatCpio(entries: readonly CpioEntry[]): Buffer {
  const byPath = new Map<string, CpioEntry | undefined>();
  for (const entry of entries) {
    const parts = entry.path.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw new RekindleError('unexpected', `"${entry.path}" is no path below the root of an initramfs`);
    }
    for (let depth = 1; depth < parts.length; depth++) byPath.set(parts.slice(0, depth).join('/'), undefined);
  }
  for (const entry of entries) {
    if (byPath.has(entry.path) && entry.kind !== 'directory') {
      throw new RekindleError('unexpected', `"${entry.path}" is twice in the initramfs`);
    }
    byPath.set(entry.path, entry);
  }

  const pieces: Uint8Array[] = [];
  // Byte order of the path, so that no locale has a say; a directory comes before what is in it.
  const paths = [...byPath.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  paths.forEach((path, index) => {
    const entry = byPath.get(path);
    const inode = index + 1;
    if (entry === undefined || entry.kind === 'directory') {
      addMember(pieces, inode, path, fileType.directory | 0o755, empty);
    } else if (entry.kind === 'symlink') {
      addMember(pieces, inode, path, fileType.symlink | 0o777, Buffer.from(entry.target));
    } else addMember(pieces, inode, path, fileType.file | entry.mode, entry.bytes);
  });
  addMember(pieces, 0, 'TRAILER!!!', 0, empty);
  return Buffer.concat(pieces);
}

const empty = new Uint8Array();

function addMember(pieces: Uint8Array[], inode: number, path: string, mode: number, bytes: Uint8Array): void {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === fileType.directory ? 2 : 1;
  // inode mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
  pieces.push(Buffer.from(header), name, padding(header.length + name.length), bytes, padding(bytes.length));
}

function padding(length: number): Uint8Array {
  return new Uint8Array((alignment - (length % alignment)) % alignment);
}
