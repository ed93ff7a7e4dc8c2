import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

test('over HTTP: several chunks a question, equal ones sent once, nothing sent again', async () => {
  using folder = makeTemporaryFolder();
  const disk = makeBlankDisk(path.join(folder.path, 'disk.img'), 40 * MiB + 512);
  writeAt(disk, noise('content', 20 * MiB), 3 * MiB);
  for (const at of [30, 33, 36]) writeAt(disk, noise('the same again', MiB), at * MiB);
  const store = path.join(folder.path, 'store');
  fs.mkdirSync(store);
  const server = await serveFolder(store, true);
  try {
    const countOf = (method: string): number =>
      server.requests.filter((each) => each.startsWith(method)).length;
    const captured = await captureDisk({
      path: disk,
      store: { kind: 'http', url: server.url, token: 'job-token' },
      workers: 1,
    });
    // 20 of content, the one that comes three times, two sizes of zeros.
    expect(captured.stats).toMatchObject({ chunks: 41, newChunks: 23 });
    expect(countOf('PUT')).toBe(23);
    expect(countOf('POST')).toBeLessThanOrEqual(Math.ceil(41 / 8) + 2);

    const again = await captureDisk({
      path: disk,
      store: { kind: 'http', url: server.url, token: 'job-token' },
    });
    expect(again.stats.newChunks).toBe(0);
    expect(countOf('PUT')).toBe(23);
    expect(Buffer.from(again.index.ids).equals(Buffer.from(captured.index.ids))).toBe(true);
    fs.writeFileSync(`${disk}.caibx`, formatDiskIndex(captured.index));
    run('casync', 'extract', `--store=${path.join(store, 'chunks.castr')}`, `${disk}.caibx`, `${disk}.back`);
    expect(fs.readFileSync(`${disk}.back`).equals(fs.readFileSync(disk))).toBe(true);
  } finally {
    await server.close();
  }
});
