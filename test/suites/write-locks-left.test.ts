import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { assertDiskFree } from '#runtime/block/assert-disk-free.ts';
import { lockDisks, releaseLeftLocks } from '#runtime/block/write-lock.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import { MiB, makeBlankDisk, makeTemporaryFolder, run } from '#test/support/restore-demo-disk.ts';

/** The program was killed while it held other disks locked; it starts again in the same boot. */

const folder = makeTemporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const blank = (name: string) => makeBlankDisk(path.join(folder.path, name), 4 * MiB);
const isReadOnly = (device: string): boolean => run('blockdev', '--getro', device).trim() === '1';

test('its locks are taken off, so that every disk can be chosen again; nobody else’s are', async () => {
  using crashed = attachLoop(blank('crashed.img'));
  using living = attachLoop(blank('living.img'));
  using switched = attachLoop(blank('switched.img'));
  run('blockdev', '--setro', switched.path);
  const child = spawn(process.execPath, ['test/support/write-lock-child.ts', crashed.path]);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(JSON.parse(said.toString())).toEqual([path.basename(crashed.path)]);
  await using lock = await lockDisks({ disks: [living.path], targets: [] });
  expect(lock.locked).toEqual([path.basename(living.path)]);

  await releaseLeftLocks();
  expect([crashed, living, switched].map(({ path: device }) => isReadOnly(device))).toEqual([
    true,
    true,
    true,
  ]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect(assertDiskFree(crashed.path, [])).rejects.toMatchObject({ code: 'target-unfit' });

  await releaseLeftLocks();
  expect([crashed, living, switched].map(({ path: device }) => isReadOnly(device))).toEqual([
    false,
    true,
    true,
  ]);
  await assertDiskFree(crashed.path, []);
  // And again: there is nothing left to take off.
  run('blockdev', '--setro', crashed.path);
  await releaseLeftLocks();
  expect(isReadOnly(crashed.path)).toBe(true);
});

test('two locks of one program: each has its note, and giving one back leaves the other’s', async () => {
  using first = attachLoop(blank('first.img'));
  using second = attachLoop(blank('second.img'));
  const child = spawn(process.execPath, ['test/support/write-lock-child.ts', first.path, second.path]);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  // The lock of the first disk was given back, that of the second is held.
  expect(JSON.parse(said.toString())).toEqual([path.basename(second.path)]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect([first, second].map(({ path: device }) => isReadOnly(device))).toEqual([false, true]);
  await releaseLeftLocks();
  expect(isReadOnly(second.path)).toBe(false);
});

test('a note that names no living process holds nothing', async () => {
  using disk = attachLoop(blank('nobody.img'));
  run('blockdev', '--setro', disk.path);
  const name = path.basename(disk.path);
  const number = fs.readFileSync(`/sys/class/block/${name}/dev`, 'utf8').trim();
  // No process has such a number (proc(5), pid_max); and the form is not that of a note of ours.
  const note = '/run/rekindle/write-locks/4194305';
  fs.mkdirSync(path.dirname(note), { recursive: true });
  fs.writeFileSync(note, `${name} ${number}\n`);
  await releaseLeftLocks();
  expect(isReadOnly(disk.path)).toBe(false);
  expect(fs.existsSync(note)).toBe(false);
});
