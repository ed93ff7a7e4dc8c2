import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import {
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  planFor,
  run,
  sha256OfFile,
  toImageDisk,
} from '#test/support/restore-demo-disk.ts';

test('capture and restore over HTTP, the server killed again and again: identical, little fetched twice', async () => {
  using folder = makeTemporaryFolder();
  const inFolder = (name: string): string => path.join(folder.path, name);
  const station = makeDemoDisk(folder.path);
  fs.mkdirSync(inFolder('store'));
  let server = await serveFolder(inFolder('store'), true);
  const port = Number(new URL(server.url).port);
  const store = { kind: 'http', url: server.url, token: 'job-token' } as const;
  let requests: string[] = [];
  let kills = 0;
  let stopped = false;
  const killer = (async () => {
    while (!stopped) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await server.close();
      requests = [...requests, ...server.requests];
      server = await serveFolder(inFolder('store'), true, port);
      kills++;
    }
  })();
  try {
    const captured = await captureDisk({ path: station, store });
    const indexFile = inFolder('disk.caibx');
    fs.writeFileSync(indexFile, formatDiskIndex(captured.index));
    run(
      'casync',
      'extract',
      `--store=${inFolder('store/chunks.castr')}`,
      indexFile,
      inFolder('expected.img'),
    );

    const target = makeBlankDisk(inFolder('target.img'));
    const result = await restoreDisk({
      plan: planFor({ disk: toImageDisk(captured), indexFile }, target),
      path: target,
      source: store,
    });
    expect(sha256OfFile(target)).toBe(sha256OfFile(inFolder('expected.img')));
    expect(kills).toBeGreaterThan(1);
    const fetches = [...requests, ...server.requests].filter((request) => request.startsWith('GET'));
    expect(fetches.length).toBeLessThan(result.chunks.written + 8 * (kills + 1));
  } finally {
    stopped = true;
    await killer;
    await server.close();
  }
});
