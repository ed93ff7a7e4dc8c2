import fs from 'node:fs';

/** A process, so that a later reader on the same machine can say for sure whether it still runs. */
export interface ProcessMark {
  /** Changes with every start of the machine. */
  readonly boot: string;
  /** Process ids mean nothing in another namespace. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks from the machine's start to the process's: an id may be used again. */
  readonly startTicks: string;
}

export function describeThisProcess(): ProcessMark {
  return { ...here(), pid: process.pid, startTicks: startTicksOf('self') ?? '' };
}

/** Only true when it is certain: a process of another machine or namespace may be there. */
export function isProcessGone(mark: ProcessMark): boolean {
  const { boot, pidNamespace } = here();
  if (mark.boot !== boot || mark.pidNamespace !== pidNamespace) return false;
  return startTicksOf(String(mark.pid)) !== mark.startTicks;
}

const here = (): Pick<ProcessMark, 'boot' | 'pidNamespace'> => ({
  boot: fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  pidNamespace: fs.readlinkSync('/proc/self/ns/pid'),
});

/** Field 22 of proc_pid_stat(5); the name in field 2 may hold spaces and brackets. */
function startTicksOf(pid: string): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
