import { spawn } from 'node:child_process';

/**
 * A process of its own that asks a mounted share every few seconds whether it is still there. Soft mounts give
 * an error when their server is gone, and an error is an answer. A share that gives none for `hungSeconds` is
 * cut loose by force, so that whoever waits in the kernel gets an error too, this program's main thread included.
 */
export interface HangGuard {
  /** The share was cut loose. */
  readonly hung: boolean;
  stop(): void;
}

const everySeconds = 5;
/** Longer than the patience of the mount options (mount-call.ts), or a short outage would end the run. */
const hungSeconds = 90;

/** $1 folder, $2 pause, $3 patience. Whoever answers, also with an error, writes a line into the pipe. */
const script = `
pipe=$(mktemp -u) && mkfifo "$pipe" && exec 3<>"$pipe" && rm "$pipe" || exit 1
while sleep "$2"; do
  { stat -f "$1" >/dev/null 2>&1; echo answered >&3; } &
  read -r -t "$3" answer <&3 && continue
  echo hung
  umount -f "$1" || umount -l "$1"
  exit
done
`;

export function guardAgainstHang(
  folder: string,
  shell: readonly [string, ...string[]] = ['/bin/busybox', 'sh'],
  seconds = { every: everySeconds, hung: hungSeconds },
): HangGuard {
  const [command, ...args] = shell;
  const guard = spawn(command, [...args, '-c', script, 'sh', folder, `${seconds.every}`, `${seconds.hung}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // A process group of its own: it has children.
    detached: true,
  });
  let hung = false;
  guard.stdout.on('data', () => {
    hung = true;
  });
  guard.on('error', () => {});
  return {
    get hung() {
      return hung;
    },
    stop() {
      if (guard.pid === undefined || guard.exitCode !== null || guard.signalCode !== null) return;
      process.kill(-guard.pid, 'SIGKILL');
    },
  };
}
