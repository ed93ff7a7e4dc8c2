import fs from 'node:fs';
import path from 'node:path';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { DiskBytes } from '../format/partition-table/disk-bytes.ts';
import { allocateDirectBuffer } from './direct-buffer.ts';

/** An open block device or disk file. Worker threads use `fd` too: descriptors belong to the process. */
export interface DiskHandle extends DiskBytes {
  readonly path: string;
  readonly fd: number;
  readonly isBlockDevice: boolean;
  /** Reads and writes go past the page cache and need aligned memory and whole sectors. */
  readonly direct: boolean;
  close(): void;
}

export interface OpenDiskOptions {
  readonly write?: boolean;
  /** For writing without the claim: a partition of it is mounted, and the caller knows which and why. */
  readonly shared?: boolean;
  /** Sector size of a disk kept in a file; a device says its own. */
  readonly sectorBytes?: number;
  /** Go past the page cache where the device and its file system can. */
  readonly direct?: boolean;
}

/**
 * A block device opened for writing is claimed (O_EXCL): a mounted one, or one that another process claimed,
 * is refused.
 * @throws RekindleError `target-unfit` (for writing), `not-found`
 */
export function openDisk(file: string, options: OpenDiskOptions = {}): DiskHandle {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || !(stat.isBlockDevice() || stat.isFile())) {
    throw new RekindleError(
      'not-found',
      `Opening disk ${file}: ${stat === undefined ? 'it does not exist' : 'it is no block device and no file'}`,
      {
        next: 'Check the name of the disk.',
      },
    );
  }
  const isBlockDevice = stat.isBlockDevice();
  const facts = isBlockDevice
    ? readDeviceFacts(file)
    : { sizeBytes: stat.size, sectorBytes: options.sectorBytes ?? 512, readOnly: false };
  const write = options.write === true;
  if (write && facts.readOnly)
    throw unfit(
      file,
      'it is write-protected',
      undefined,
      'Remove the write protection, or use another disk.',
    );
  const flags = write
    ? fs.constants.O_RDWR | (isBlockDevice && options.shared !== true ? fs.constants.O_EXCL : 0)
    : fs.constants.O_RDONLY;
  const { fd, direct } = openMaybeDirect(file, flags, options.direct === true, facts);
  return {
    path: file,
    fd,
    isBlockDevice,
    direct,
    sizeBytes: facts.sizeBytes,
    sectorBytes: facts.sectorBytes,
    read: (offset, length) => readUncached(file, facts, offset, length),
    close: () => fs.closeSync(fd),
  };
}

function openMaybeDirect(
  file: string,
  flags: number,
  wanted: boolean,
  facts: { sizeBytes: number; sectorBytes: number },
): { fd: number; direct: boolean } {
  if (wanted) {
    let fd: number | undefined;
    try {
      fd = fs.openSync(file, flags | fs.constants.O_DIRECT);
      const buffer = allocateDirectBuffer(fd, facts.sizeBytes, 1 << 20);
      // A file lies on a disk with sectors of its own, which may be larger than those of the disk it stands for.
      if (buffer !== null && takesWholeSectors(fd, buffer, facts.sectorBytes)) return { fd, direct: true };
      fs.closeSync(fd);
      fd = undefined;
    } catch (error) {
      if (fd !== undefined) fs.closeSync(fd);
      // File systems without O_DIRECT (tmpfs, some FUSE) refuse it with EINVAL.
      if (!isErrno(error, 'EINVAL')) throw openFailed(file, error);
    }
  }
  try {
    return { fd: fs.openSync(file, flags), direct: false };
  } catch (error) {
    throw openFailed(file, error);
  }
}

/** @throws EINVAL when it does not */
function takesWholeSectors(fd: number, buffer: Buffer, sectorBytes: number): true {
  try {
    fs.readSync(fd, buffer, 0, sectorBytes, sectorBytes);
  } catch (error) {
    // A sector that cannot be read says nothing against it; who needs that sector says which one it is.
    if (!isErrno(error, 'EIO')) throw error;
  }
  return true;
}

function openFailed(file: string, cause: unknown): RekindleError {
  return isErrno(cause, 'EBUSY')
    ? unfit(
        file,
        'it is in use (mounted, or claimed by another program)',
        cause,
        'Unmount it, or end the program that uses it.',
      )
    : unfit(
        file,
        'the system refuses',
        cause,
        'Run this with the rights to use the disk, and check that it is attached.',
      );
}

function unfit(file: string, why: string, cause: unknown, next: string): RekindleError {
  return new RekindleError('target-unfit', `Opening disk ${file}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    next,
    details: { disk: file },
  });
}

/** A second, buffered descriptor: callers of `read` bring no aligned memory. */
function readUncached(
  file: string,
  { sizeBytes, sectorBytes }: { sizeBytes: number; sectorBytes: number },
  offset: number,
  length: number,
): Uint8Array {
  if (offset < 0 || length < 0 || offset + length > sizeBytes) {
    throw new RangeError(`bytes ${offset} to ${offset + length} are not on ${file}, which has ${sizeBytes}`);
  }
  const fd = fs.openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readFully(fd, bytes, offset);
    return bytes;
  } catch (cause) {
    const last = offset + length - 1;
    const lbas = `LBA ${Math.floor(offset / sectorBytes)} to ${Math.floor(last / sectorBytes)}`;
    throw new RekindleError('target-unfit', `Reading ${file} at bytes ${offset} to ${last} (${lbas})`, {
      cause,
      next: 'Check the disk and its cable, replace it if this comes again.',
      details: { disk: file, startByte: offset, sizeBytes: length },
    });
  } finally {
    fs.closeSync(fd);
  }
}

/** Size and sector size from sysfs, which tells them for whole disks and partitions alike. */
function readDeviceFacts(device: string): { sizeBytes: number; sectorBytes: number; readOnly: boolean } {
  const name = path.basename(fs.realpathSync(device));
  const folder = fs.realpathSync(`/sys/class/block/${name}`);
  const isPartition = fs.existsSync(path.join(folder, 'partition'));
  const queue = path.join(isPartition ? path.dirname(folder) : folder, 'queue/logical_block_size');
  const read = (file: string): string => fs.readFileSync(file, 'utf8').trim();
  return {
    sizeBytes: Number(read(path.join(folder, 'size'))) * 512,
    sectorBytes: Number(read(queue)),
    readOnly: read(path.join(folder, 'ro')) === '1',
  };
}

/** Fills `into` from `offset`; a disk that ends early is an error, not a short answer. */
export function readFully(fd: number, into: Uint8Array, offset: number): void {
  for (let at = 0; at < into.length; ) {
    const count = fs.readSync(fd, into, at, into.length - at, offset + at);
    if (count === 0) throw new Error(`the disk ended at byte ${offset + at}`);
    at += count;
  }
}

export function writeFully(fd: number, bytes: Uint8Array, offset: number): void {
  for (let at = 0; at < bytes.length; ) {
    const count = fs.writeSync(fd, bytes, at, bytes.length - at, offset + at);
    if (count === 0) throw new Error(`the disk took no more at byte ${offset + at}`);
    at += count;
  }
}

/** Clean pages leave the cache, so that the next read comes from the medium. Root only; false when not allowed. */
export function dropCaches(): boolean {
  try {
    fs.writeFileSync('/proc/sys/vm/drop_caches', '1\n');
    return true;
  } catch {
    return false;
  }
}
