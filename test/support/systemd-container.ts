import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkNamespace, RunResult } from './network-namespace.ts';

/** This computer's Debian under a systemd of its own, in the network of `member`; nothing it writes outlives it. */
export interface SystemdContainer extends AsyncDisposable {
  run(command: string, ...args: readonly string[]): Promise<RunResult>;
  /** What it printed, for the message of a test that fails. */
  said(): string;
}

export interface SystemdContainerOptions {
  readonly member: NetworkNamespace;
  /** Runs as root in the container's root folder, before systemd starts. */
  readonly prepare: string;
  /** Folders of this computer, by their path in the container; read-only. */
  readonly folders: Readonly<Record<string, string>>;
  /** The unit that is started. */
  readonly unit: string;
}

/** Root and systemd-nspawn (Debian package `systemd-container`). The root folder is an overlay over this computer's. */
export async function startSystemd(options: SystemdContainerOptions): Promise<SystemdContainer> {
  const { member, prepare, folders, unit } = options;
  const overlay = mkdtempSync('/dev/shm/rekindle-systemd-');
  const machine = `rk${process.pid}`;
  const binds = Object.entries(folders).map(([inside, outside]) => `--bind-ro=${outside}:${inside}`);
  // Without the units that this computer wants at boot: they are none of the test's.
  const script = `set -e; cd ${overlay}; mkdir upper work root
    mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
    cd root; rm -rf etc/systemd/system/*.wants etc/machine-id; mkdir -p ${Object.keys(folders)
      .map((each) => `.${each}`)
      .join(' ')}
    ${prepare}
    exec systemd-nspawn --directory=${overlay}/root --register=no --keep-unit --machine=${machine} ${binds.join(' ')} \
      --console=read-only --boot -- --unit=${unit} --log-target=console --show-status=no`;
  // Not by `ip netns exec`, which hides the control groups of this computer.
  const child = spawn('nsenter', [
    `--net=/run/netns/${member.name}`,
    'unshare',
    '--mount',
    'sh',
    '-c',
    script,
  ]);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (text += bytes.toString()));
  const ended = once(child, 'close');
  const dispose = async () => {
    // SIGRTMIN+4 is an orderly power-off; nspawn kills what is left when it is killed itself.
    if (child.exitCode === null) process.kill(Number(child.pid), 'SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
    rmSync(overlay, { recursive: true, force: true });
  };
  try {
    const leader = await leaderOf(child, () => text);
    return {
      said: () => text,
      run: (command, ...args) =>
        member.run('nsenter', ['--target', String(leader), '--all', '--', command, ...args], { seconds: 30 }),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The container's process 1, once it answers. */
async function leaderOf(child: ChildProcessWithoutNullStreams, said: () => string): Promise<number> {
  for (const until = Date.now() + 60_000; Date.now() < until && child.exitCode === null; await sleep(200)) {
    const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(/\s+/);
    const leader = pids.find((pid) => pid !== '' && commandOf(pid) === 'systemd');
    if (leader === undefined) continue;
    try {
      execFileSync('nsenter', ['--target', leader, '--all', '--', 'systemctl', 'is-system-running'], {
        stdio: 'ignore',
      });
      return Number(leader);
    } catch (error) {
      // 1 is an answer too: it still starts, or some unit has failed.
      if ((error as { status?: number }).status === 1) return Number(leader);
    }
  }
  throw new Error(`systemd-nspawn (Debian package systemd-container) did not start systemd: ${said()}`);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'comm'), 'utf8').trim();
  } catch {
    return '';
  }
}
