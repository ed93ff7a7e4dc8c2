import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isErrno } from '#base/errno.ts';

/**
 * What the kernel says from now on about the file systems of shares: its words are the only place where the
 * reason of a refused mount is (a wrong password and a forbidden share are both "Permission denied").
 */
export interface KernelLog {
  /** The lines since the start, without time stamps. */
  read(): string[];
  close(): void;
}

const recordLimit = 8192;

export function followKernelLog(path = '/dev/kmsg'): KernelLog {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const record = Buffer.alloc(recordLimit);
  const next = (): string | undefined => {
    for (;;) {
      try {
        return record.toString('utf8', 0, readSync(fd, record));
      } catch (error) {
        // EPIPE: records were overwritten before they were read; the next one is there.
        if (!isErrno(error, 'EPIPE')) return undefined;
      }
    }
  };
  // What was there before is not about this mount.
  while (next() !== undefined);
  const lines: string[] = [];
  return {
    read() {
      for (let text = next(); text !== undefined; text = next()) {
        const line = parseKernelRecord(text);
        if (line !== undefined && isAboutShares(line)) lines.push(line);
      }
      return lines;
    },
    close: () => closeSync(fd),
  };
}

/** `6,339,5140900,-;the message\n SUBSYSTEM=…` (Documentation/ABI/testing/dev-kmsg). */
export function parseKernelRecord(record: string): string | undefined {
  const at = record.indexOf(';');
  return at < 0 ? undefined : record.slice(at + 1).split('\n')[0];
}

const isAboutShares = (line: string): boolean => /CIFS|NFS|RPC|crypto|alg:/i.test(line);
