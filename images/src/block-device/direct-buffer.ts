import fs from 'node:fs';
import { isErrno } from '#base/errno.ts';

/**
 * Buffers that O_DIRECT accepts. The kernel wants memory aligned to the device's sector; Node offers no such
 * allocation and hides addresses, so the right offset inside a larger buffer is found by trying.
 */

const pageBytes = 4096;
/** glibc puts a large allocation 16 bytes behind a page's start. */
const likeliest = pageBytes - 16;
/** A disk file with nothing in so much of its beginning is taken for empty. */
const searchBytes = 1 << 30;

/** A buffer of `bytes` that reads from `fd` (opened with O_DIRECT) fill, or null when none does. */
export function allocateDirectBuffer(fd: number, diskBytes: number, bytes: number): Buffer | null {
  const probeBytes = Math.min(bytes, Math.floor(diskBytes / pageBytes) * pageBytes);
  if (probeBytes === 0) return null;
  const memory = Buffer.allocUnsafeSlow(bytes + pageBytes);
  const at = findData(fd, diskBytes, probeBytes, memory);
  for (let step = 0; step < pageBytes; step += 16) {
    const offset = (likeliest + step) % pageBytes;
    try {
      // A wrong address reads up to the first byte that really comes from the device.
      if (fs.readSync(fd, memory, offset, probeBytes, at) < Math.min(probeBytes, diskBytes - at)) continue;
    } catch (error) {
      if (isErrno(error, 'EINVAL')) continue;
      // An unreadable first sector says nothing against the alignment.
      if (!isErrno(error, 'EIO')) throw error;
    }
    return memory.subarray(offset, offset + bytes);
  }
  return null;
}

/**
 * Where the probe has to read. A hole in a disk file comes without the device and takes any address: only where an odd
 * one is refused, there is data.
 */
function findData(fd: number, diskBytes: number, probeBytes: number, memory: Buffer): number {
  for (let at = 0; at + probeBytes <= Math.min(diskBytes, searchBytes); at += probeBytes) {
    try {
      if (fs.readSync(fd, memory, 1, probeBytes, at) < probeBytes) return at;
    } catch {
      return at;
    }
  }
  return 0;
}
