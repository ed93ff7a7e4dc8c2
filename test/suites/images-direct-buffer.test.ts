import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { allocateDirectBuffer } from '#images/block-device/direct-buffer.ts';
import { MiB, makeBlankDisk, makeTemporaryFolder, noise, writeAt } from '#test/support/restore-demo-disk.ts';

test.each([0, 5 * MiB, 5 * MiB + 4096 * 3])(
  'memory for unbuffered access fits a disk file whose first data is at byte %d',
  (firstData) => {
    using folder = makeTemporaryFolder();
    const file = makeBlankDisk(path.join(folder.path, 'disk.img'), 8 * MiB);
    writeAt(file, noise('data', MiB), firstData);
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_DIRECT);
    try {
      // Small ones come from the heap, where no address is likely.
      for (const bytes of [16_384, 32_768, 65_536, MiB]) {
        const buffer = allocateDirectBuffer(fd, 8 * MiB, bytes);
        const at = Math.floor(firstData / bytes) * bytes;
        expect(buffer).not.toBeNull();
        if (buffer !== null) expect(fs.readSync(fd, buffer, 0, bytes, at)).toBe(bytes);
      }
    } finally {
      fs.closeSync(fd);
    }
  },
);
