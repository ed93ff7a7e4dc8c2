import { readFileSync } from 'node:fs';

/** Seconds since the kernel started, to a hundredth (proc(5), /proc/uptime). */
export function uptimeSeconds(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}
