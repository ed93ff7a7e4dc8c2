import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { exportDisk } from '#images/convert/export-disk.ts';
import { exportFormats, planExport } from '#images/convert/plan-export.ts';
import { type StoredDisk, storeDisk } from '#test/support/image-in-store.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import {
  demoDisk,
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  noise,
  readIndex,
  run,
  sha256OfFile,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let stored: StoredDisk;
beforeAll(async () => {
  stored = await storeDisk(makeDemoDisk);
});
afterAll(() => stored[Symbol.dispose]());

/** Files that an export could have left, hidden ones too. */
const leftovers = (): string[] => fs.readdirSync(stored.folder).filter((name) => name.includes('export'));
const openFiles = (): number => fs.readdirSync('/proc/self/fd').length;

describe('a disk of an image as a virtual disk', () => {
  test.each(exportFormats)('%s is the same disk, and takes no room for zeros', async (format) => {
    const output = stored.inFolder(`export.${format}`);
    onTestFinished(() => fs.rmSync(output, { force: true }));
    const progress: number[] = [];
    const done = await exportDisk({
      from: stored.found,
      format,
      output,
      onProgress: (bytes, total) => progress.push(bytes / total),
    });
    const compared = run('qemu-img', 'compare', '-f', format, '-F', 'raw', output, stored.expected);
    expect(compared).toContain('Images are identical');
    expect(JSON.parse(run('qemu-img', 'info', '--output=json', output))).toMatchObject({
      format,
      'virtual-size': demoDisk.sizeBytes,
    });
    const stat = fs.statSync(output);
    expect(stat.mode & 0o777).toBe(0o600);
    expect(stat.blocks * 512).toBeLessThanOrEqual(done.fileBytes);
    expect(done.dataBytes).toBeLessThan(40 * MiB);
    expect(progress.at(-1)).toBe(1);
    expect(leftovers()).toEqual([`export.${format}`]);
  });

  test('from a plain web server: the same disk', async () => {
    const server = await serveFolder(stored.found.store, false, 0, null);
    onTestFinished(() => server.close());
    const output = stored.inFolder('export-http.raw');
    onTestFinished(() => fs.rmSync(output, { force: true }));
    await exportDisk({ from: { ...stored.found, store: server.url }, format: 'raw', output });
    expect(sha256OfFile(output)).toBe(sha256OfFile(stored.expected));
    expect(server.requests.some((request) => request.startsWith('GET /chunks.castr/'))).toBe(true);
  });

  test('an index that casync made, and a size that sectors do not divide', async () => {
    const odd = makeBlankDisk(stored.inFolder('odd.img'), 3 * MiB + 77);
    writeAt(odd, noise('end', 100), 3 * MiB - 23);
    const store = stored.inFolder('casync');
    fs.mkdirSync(store);
    const indexFile = `${store}/odd.caibx`;
    run('casync', 'make', `--store=${store}/chunks.castr`, indexFile, odd);
    // An image that is exported is one that is there.
    fs.cpSync(`${stored.store}/images`, `${store}/images`, { recursive: true });
    const from = { ...stored.found, store, index: readIndex(indexFile) };
    const output = stored.inFolder('export.raw');
    onTestFinished(() => fs.rmSync(output, { force: true }));
    await exportDisk({ from, format: 'raw', output });
    expect(fs.readFileSync(output).equals(fs.readFileSync(odd))).toBe(true);
    await expect(
      exportDisk({ from, format: 'qcow2', output: stored.inFolder('export.qcow2') }),
    ).rejects.toThrow('no whole number of sectors');
  });

  test('sectors of 4096 bytes are refused where the format would lose them', () => {
    expect(() => planExport(stored.found.index, 4096, 'vhdx')).toThrow('sectors of 512 bytes only');
    expect(planExport(stored.found.index, 4096, 'raw').sizeBytes).toBe(demoDisk.sizeBytes);
  });
});

function makeNoiseDisk(folder: string): string {
  const file = makeBlankDisk(`${folder}/noise.img`, 8 * MiB);
  writeAt(file, noise('little', 8 * MiB), 0);
  return file;
}

describe('nothing is overwritten, and nothing is left behind', () => {
  test('what is there stays as it is', async () => {
    const output = stored.inFolder('export.taken');
    fs.writeFileSync(output, 'mine');
    onTestFinished(() => fs.rmSync(output));
    await expect(exportDisk({ from: stored.found, format: 'raw', output })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('nothing is overwritten'),
    });
    expect(fs.readFileSync(output, 'utf8')).toBe('mine');
    const dangling = stored.inFolder('export.link');
    fs.symlinkSync('/nowhere', dangling);
    onTestFinished(() => fs.rmSync(dangling));
    await expect(exportDisk({ from: stored.found, format: 'raw', output: dangling })).rejects.toThrow(
      'nothing is overwritten',
    );
  });

  test('a name that was taken while the export ran is not overwritten either', async () => {
    const output = stored.inFolder('export.raced');
    onTestFinished(() => fs.rmSync(output));
    await expect(
      exportDisk({
        from: stored.found,
        format: 'raw',
        output,
        onProgress: (bytes, total) => {
          if (bytes === total) fs.writeFileSync(output, 'first');
        },
      }),
    ).rejects.toThrow('nothing is overwritten');
    expect(fs.readFileSync(output, 'utf8')).toBe('first');
    expect(leftovers()).toEqual(['export.raced']);
  });

  test('an interrupted export leaves nothing', async () => {
    const interrupted = new AbortController();
    const options = { from: stored.found, format: 'vhdx', output: stored.inFolder('export.vhdx') } as const;
    const running = exportDisk({
      ...options,
      signal: interrupted.signal,
      onProgress: () => interrupted.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    expect(leftovers()).toEqual([]);
  });

  test('a damaged chunk ends it, and is named', async () => {
    const damaged = stored.damagedAt(MiB + 1000);
    const output = stored.inFolder('export.raw');
    const before = openFiles();
    await expect(exportDisk({ from: damaged.found, format: 'raw', output })).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { message: expect.stringContaining(damaged.chunk) },
    });
    expect(leftovers()).toEqual([]);
    expect(openFiles()).toBeLessThanOrEqual(before);
  });

  test('a disk without room is refused before anything is written, and while it is', async () => {
    const small = makeBlankDisk(stored.inFolder('small.ext4'), 16 * MiB);
    run('mkfs.ext4', '-q', '-F', small);
    const mounted = stored.inFolder('small');
    fs.mkdirSync(mounted);
    run('mount', '-o', 'loop', small, mounted);
    onTestFinished(() => void run('umount', mounted));
    await expect(
      exportDisk({ from: stored.found, format: 'raw', output: `${mounted}/export.raw` }),
    ).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('are free') });
    using little = await storeDisk(makeNoiseDisk);
    // There is room for each of them, and not for both.
    const outcomes = await Promise.allSettled(
      ['one', 'two'].map((name) =>
        exportDisk({ from: little.found, format: 'raw', output: `${mounted}/export.${name}` }),
      ),
    );
    const failed = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(failed.length).toBeGreaterThan(0);
    for (const error of failed)
      expect(error).toMatchObject({
        code: 'unexpected',
        cause: { message: expect.stringContaining('No space left on device') },
        next: expect.stringContaining('Free some space'),
      });
    const left = fs.readdirSync(mounted).filter((name) => name.includes('export'));
    expect(left).toHaveLength(2 - failed.length);
    expect(left.filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});
