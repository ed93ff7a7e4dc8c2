import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { guardAgainstHang } from '#runtime/shares/hang-guard.ts';

/**
 * A mounted file system whose server stops answering altogether: ntfs-3g, stopped in its tracks. What waits for it
 * waits in the kernel and cannot be ended; only a forced unmount gives it an error.
 */
async function mountStoppable() {
  const folder = mkdtempSync(path.join(tmpdir(), 'hang-'));
  const image = path.join(folder, 'volume.img');
  const mountPoint = path.join(folder, 'mount');
  mkdirSync(mountPoint);
  writeFileSync(image, '');
  truncateSync(image, 16 << 20);
  execFileSync('mkfs.ntfs', ['-F', '-q', image], { stdio: 'ignore' });
  const server = spawn('ntfs-3g', ['-o', 'no_detach', image, mountPoint], { stdio: 'ignore' });
  onTestFinished(async () => {
    server.kill('SIGKILL');
    try {
      execFileSync('umount', ['-l', mountPoint], { stdio: 'ignore' });
    } catch {
      // The guard was here before.
    }
    rmSync(folder, { recursive: true, force: true });
  });
  while (statSync(mountPoint).dev === statSync(folder).dev) await sleep(20);
  return { server, mountPoint };
}

const shell = ['/bin/busybox', 'sh'] as const;

test('a share that answers is left alone', async () => {
  const { mountPoint } = await mountStoppable();
  const guard = guardAgainstHang(mountPoint, shell, { every: 0.1, hung: 1 });
  await sleep(1500);
  expect(guard.hung).toBe(false);
  guard.stop();
  expect(readdirSync(mountPoint)).toBeDefined();
});

test('a share that gives no answer is cut loose, and whoever waits for it gets an error', async () => {
  const { server, mountPoint } = await mountStoppable();
  const guard = guardAgainstHang(mountPoint, shell, { every: 0.1, hung: 1 });
  server.kill('SIGSTOP');
  const waiting = spawn('stat', [path.join(mountPoint, 'never-asked-before')], { stdio: 'ignore' });
  const [status] = await once(waiting, 'exit');
  expect(status).not.toBe(0);
  while (!guard.hung) await sleep(20);
  guard.stop();
});

test('nothing of the guard stays behind', async () => {
  const { mountPoint } = await mountStoppable();
  const guard = guardAgainstHang(mountPoint, shell, { every: 30, hung: 1 });
  const running = () =>
    readdirSync('/proc').filter((pid) => {
      const file = `/proc/${pid}/cmdline`;
      return /^\d+$/.test(pid) && existsSync(file) && readFileSync(file, 'utf8').includes(mountPoint);
    });
  await sleep(300);
  // ntfs-3g itself and the guard's shell.
  expect(running()).toHaveLength(2);
  guard.stop();
  await sleep(300);
  expect(running()).toHaveLength(1);
});
