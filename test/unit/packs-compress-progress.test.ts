import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressInitrd } from '#driver-packs/initrd-file.ts';
import { parseZstdProgress } from '#driver-packs/zstd-progress.ts';

test.each([
  ['\r      \rRead:  1.50 MiB  ==> 31%', 1_572_864],
  ['\rRead:   512 KiB  ==> 33%\rRead:  2.00 GiB  ==> 28%', 2_147_483_648],
  ['\rRead:     0   B  ==>  0%', 0],
  ['\rRead:  85.5 Mi', undefined],
  ['zstd: error 70 : Write error', undefined],
])('zstd says %j', (text, bytes) => {
  expect(parseZstdProgress(text)).toBe(bytes);
});

test('what zstd has compressed is told while it does, and changes no byte', async () => {
  // Numbers in hexadecimal: a second of work or more, as little as may be.
  const hash = createHash('sha256').update('progress');
  const archive = Buffer.from(
    Array.from({ length: 40_000 }, (_, at) => hash.copy().update(`${at}`).digest('hex')).join(''),
  );
  const seen: number[] = [];
  const compressed = await compressInitrd(archive, 19, (done, total) => {
    expect(total).toBe(archive.length);
    seen.push(done);
  });
  expect(seen.some((done) => done > 0 && done < archive.length)).toBe(true);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(zstdDecompressSync(compressed).equals(archive)).toBe(true);
  expect(compressed.equals(await compressInitrd(archive, 19))).toBe(true);
});
