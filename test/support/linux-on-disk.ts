import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** What Rekindle takes for a Linux with systemd, with a shell that can be used in a chroot. */
export function makeLinuxRoot(root: string): void {
  const write = (name: string, content: string | Uint8Array, mode = 0o644) => {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content, { mode });
  };
  write('etc/os-release', 'ID=debian\n');
  write('usr/lib/systemd/systemd', '');
  write('bin/busybox', fs.readFileSync('/bin/busybox'), 0o755);
  fs.symlinkSync('busybox', path.join(root, 'bin/sh'));
  write('usr/bin/systemctl', '#!/bin/sh\necho "$@" >>/systemctl-calls\n', 0o755);
  for (const folder of ['proc', 'dev', 'run', 'tmp', 'var', 'usr/sbin'])
    fs.mkdirSync(path.join(root, folder), { recursive: true });
}

/**
 * Starts what systemd would start, in a process namespace of its own: nothing in it can reach this machine's init. Debian's
 * initramfs mounts /run like this.
 */
export function startUnit(root: string, unit: string) {
  const text = fs.readFileSync(path.join(root, unit), 'utf8');
  const command = /^ExecStart=(.*)$/m.exec(text)?.[1] ?? '';
  const script = `mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && mount -t tmpfs -o noexec run "$1/run" && exec chroot "$1" ${command}`;
  const child = spawn(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', root],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.timeout(100_000),
    },
  );
  return {
    child,
    ended: new Promise<{ status: number | null; said: string }>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (part) => (said += String(part)));
      child.stderr.on('data', (part) => (said += String(part)));
      child.once('error', reject);
      child.once('close', (status) => resolve({ status, said }));
    }),
  };
}
