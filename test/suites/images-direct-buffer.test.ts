import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { allocateDirectBuffer } from '#images/block-device/direct-buffer.ts';
import { runWithFault } from '#scripts/faults/lab/traced-run.ts';
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

test('a disk whose first sectors cannot be read is opened all the same: who reads them says which they are', async () => {
  using folder = makeTemporaryFolder();
  const file = makeBlankDisk(path.join(folder.path, 'disk.img'), 8 * MiB);
  writeAt(file, noise('data', MiB), 0);
  const program = `import { openDisk } from '${import.meta.resolve('#images/block-device/disk-handle.ts')}';
    console.log(openDisk('${file}', { direct: true }).direct);`;
  const child = ['--input-type=module', '-e', program];
  const options = { paths: [file], andLater: true } as const;
  // The first read is meant to be refused, for its address.
  const run = await runWithFault(child, { call: 'pread64', when: 2 }, 'error=EIO', options);
  expect(run).toMatchObject({ status: 0, stdout: 'true\n' });
});
