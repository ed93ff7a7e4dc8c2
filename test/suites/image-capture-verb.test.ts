import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createSite } from '#pxe-server/site/create-site.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation, setTerminalBus } from '#pxe-server/stations/station-registry.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';
import {
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let site: string;
let disk: string;
const images = (): string => path.join(site, 'images/images');

beforeAll(async () => {
  folder = makeTemporaryFolder();
  disk = makeDemoDisk(folder.path);
  site = path.join(folder.path, 'site');
  const paths = sitePaths(site);
  await createSite(paths, { interface: 'lo', dhcp: { mode: 'proxy' } });
  const state = openState(paths.state, { create: true });
  const passport = { ...somePassport(), disks: [somePassportDisk(fs.statSync(disk).size)] };
  addStation(state, { name: 'OS-SRV-1A', passport, computerName: 'OSSRV1A', role: 'server', by: 'test' });
  setTerminalBus(state, 'OS-SRV-1A', true);
  state.close();
});
afterAll(() => folder[Symbol.dispose]());

function start(
  ...args: string[]
): ChildProcess & { said: Promise<{ status: number; out: string; err: string }> } {
  const child = spawn(process.execPath, ['scripts/rekindle.ts', 'image', 'capture', '--site', site, ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const parts = { out: '', err: '' };
  child.stdout.on('data', (part) => {
    parts.out += part;
  });
  child.stderr.on('data', (part) => {
    parts.err += part;
  });
  const said = once(child, 'close').then(([status]) => ({ status: Number(status), ...parts }));
  return Object.assign(child, { said });
}
const capture = (...args: string[]) => start(...args).said;

describe('rekindle image capture', () => {
  test('a registered station: named, counted, limited as the registry says', async () => {
    const { status, out, err } = await capture(
      '--station',
      'OS-SRV-1A',
      '--disk',
      disk,
      '--limit-rate',
      '1G',
      '--json',
    );
    expect(err).toBe('');
    expect(status).toBe(0);
    const said = JSON.parse(out) as Record<string, never>;
    expect(said).toMatchObject({
      ref: expect.stringMatching(/^OS-SRV-1A@\d{8}T\d{6}Z$/),
      sequence: 1,
      change: { newChunks: expect.any(Number), share: expect.any(Number) },
      verified: { readAgain: expect.any(Number) },
      warnings: [],
    });
    const listed = run(
      process.execPath,
      'scripts/rekindle.ts',
      'image',
      'show',
      said['ref'] ?? '',
      '--site',
      site,
    );
    expect(JSON.parse(listed)).toMatchObject({
      station: 'OS-SRV-1A',
      computerName: 'OSSRV1A',
      stationRole: 'server',
    });
  });

  test('stopped by Ctrl-C: exit code 130, no image; the second run reuses what is stored', async () => {
    const changed = path.join(folder.path, 'changed.img');
    fs.copyFileSync(disk, changed);
    writeAt(changed, noise('much that is new', 24 * MiB), 4 * MiB);
    const before = fs.readdirSync(path.join(images(), 'OS-SRV-1A')).length;
    const chunks = path.join(site, 'images/chunks.castr');
    const stored = fs.readdirSync(chunks).length;
    // The limit of the terminal bus: half a minute for this disk.
    const child = start('--station', 'OS-SRV-1A', '--disk', changed);
    while (fs.readdirSync(chunks).length < stored + 3)
      await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGINT');
    const { status, err } = await child.said;
    expect(status).toBe(130);
    expect(err).toContain('what is stored is reused');
    expect(fs.readdirSync(path.join(images(), 'OS-SRV-1A'))).toHaveLength(before);
    expect(fs.existsSync(path.join(site, 'images/captures/.turn'))).toBe(false);

    const again = await capture('--station', 'OS-SRV-1A', '--disk', changed, '--limit-rate', '1G', '--json');
    const { change } = JSON.parse(again.out) as { change: { newChunks: number } };
    expect(change.newChunks).toBeGreaterThan(0);
    expect(change.newChunks).toBeLessThanOrEqual(24 - 3);
  });

  test.each([
    ['neither registered nor with a passport', ['--station', 'NEW-1'], 11, 'no passport was given'],
    ['no station name', ['--station', '../etc'], 2, 'is no station'],
    ['no rate', ['--station', 'OS-SRV-1A', '--limit-rate', 'fast'], 2, 'Write a rate'],
    ['no store', ['--station', 'OS-SRV-1A', '--store', '/nowhere/images'], 10, 'there is no such folder'],
  ])('%s: refused', async (_, args, code, why) => {
    const { status, err } = await capture('--disk', disk, ...args);
    expect(err).toContain(why);
    expect(status).toBe(code);
  });

  test('a disk of another size than the station has: refused, and how to name one is said', async () => {
    const other = makeBlankDisk(path.join(folder.path, 'other.img'), 5 * MiB);
    const { status, err } = await capture('--station', 'OS-SRV-1A', '--disk', other);
    expect(err).toContain('the size of no disk of the passport');
    expect(err).toContain(`--disk ${other},SERIAL`);
    expect(status).toBe(13);
  });

  test('a disk that is not there: exit code 11', async () => {
    expect((await capture('--station', 'OS-SRV-1A', '--disk', '/dev/nothing')).status).toBe(11);
  });
});
