import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

/** A call that touched a disk, in the order in which the kernel saw them. */
export interface DiskCall {
  readonly call: 'pread64' | 'pwrite64' | 'fsync';
  readonly startByte: number;
  readonly sizeBytes: number;
  /** The descriptor was opened with O_DIRECT. */
  readonly direct: boolean;
}

/** Runs a program under strace; what it did to `device`, by every thread. */
export function traceDisk(device: string, output: string, command: readonly string[]): DiskCall[] {
  const options = ['-f', '-qq', '-y', '-s', '0', '-e', 'trace=openat,close,pread64,pwrite64,fsync'];
  const result = spawnSync('strace', [...options, '-o', output, ...command], { encoding: 'utf8' });
  if (result.error !== undefined)
    throw new Error('strace did not start; install the Debian package strace', { cause: result.error });
  if (result.status !== 0) throw new Error(`the traced program failed: ${result.stderr}`);
  return parseTrace(fs.readFileSync(output, 'utf8'), device);
}

function parseTrace(text: string, device: string): DiskCall[] {
  const calls: DiskCall[] = [];
  const pending = new Map<string, string>();
  const direct = new Set<string>();
  for (const raw of text.split('\n')) {
    const [, thread = '', line = ''] = /^(\d+)\s+(.*)$/.exec(raw) ?? [];
    const unfinished = /^(.*?)\s*<unfinished \.\.\.>$/.exec(line)?.[1];
    if (unfinished !== undefined) {
      pending.set(thread, unfinished);
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
    const whole = resumed === undefined ? line : `${pending.get(thread) ?? ''}${resumed}`;
    const opened = /^openat\(.*?"?.*?, ([A-Z_|]+).*\) = (\d+)<(.*)>$/.exec(whole);
    if (opened?.[3] === device) {
      if (opened[1]?.includes('O_DIRECT')) direct.add(opened[2] ?? '');
      else direct.delete(opened[2] ?? '');
    }
    const [, call, fd = '', path, rest = ''] =
      /^(pread64|pwrite64|fsync)\((\d+)<([^>]*)>(.*)$/.exec(whole) ?? [];
    if (call === undefined || path !== device) continue;
    const [, sizeBytes = '0', startByte = '0'] = /, (\d+), (\d+)\)/.exec(rest) ?? [];
    calls.push({
      call: call as DiskCall['call'],
      startByte: Number(startByte),
      sizeBytes: Number(sizeBytes),
      direct: direct.has(fd),
    });
  }
  return calls;
}
