import fs from 'node:fs';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { mountsOfDisk } from '../block-device/mounts-of-disk.ts';

/**
 * A disk that changes while it is read gives an image of no moment at all. A device is claimed (O_EXCL), so that
 * nothing can mount it meanwhile; one that is mounted read-only stands still and is allowed. A file is looked at
 * again at the end.
 */
export interface ClaimedSource extends Disposable {
  /** @throws RekindleError `target-unfit`: the file was written to since it was claimed */
  assertUnchanged(): void;
}

/** @throws RekindleError `target-unfit`: mounted read-write, or in use by another program */
export function claimSource(source: string): ClaimedSource {
  const doing = `Capturing ${source}`;
  const refuse = (why: string, next: string, cause?: unknown): never => {
    throw new RekindleError('target-unfit', `${doing}: ${why}`, {
      ...(cause === undefined ? {} : { cause }),
      next,
      details: { disk: source },
    });
  };
  const mounts = mountsOfDisk(source);
  const writable = mounts.find(({ readOnly }) => !readOnly);
  if (writable !== undefined) {
    const used = writable.mountPoint === 'swap' ? 'used as swap' : `mounted at ${writable.mountPoint}`;
    refuse(
      `${writable.device} on it is ${used} and can be written to`,
      'Unmount it, mount it read-only, or start the station from the network and capture it there.',
    );
  }
  if (!fs.statSync(source).isBlockDevice()) {
    const before = versionOf(source);
    return {
      assertUnchanged() {
        if (versionOf(source) !== before)
          refuse(
            'the file was written to meanwhile',
            'End the program that writes to it, then capture again.',
          );
      },
      [Symbol.dispose]() {},
    };
  }
  let fd: number | undefined;
  try {
    fd = fs.openSync(source, fs.constants.O_RDONLY | fs.constants.O_EXCL);
  } catch (cause) {
    // A read-only mount claims the device too.
    if (!isErrno(cause, 'EBUSY') || mounts.length === 0)
      refuse(
        'it is in use (mounted elsewhere, or claimed by another program)',
        'Unmount it, or end the program that uses it.',
        cause,
      );
  }
  return {
    assertUnchanged() {},
    [Symbol.dispose]() {
      if (fd !== undefined) fs.closeSync(fd);
    },
  };
}

function versionOf(file: string): string {
  const { size, mtimeNs, ino } = fs.statSync(file, { bigint: true });
  return `${ino} ${size} ${mtimeNs}`;
}
