import { execFile } from 'node:child_process';

/** Puts module files into the kernel, in this order; for each the kernel's reason when it refuses. */
export type InsertModules = (paths: readonly string[]) => Promise<readonly (string | undefined)[]>;

/** After what insmod said about a file, a line with its exit status. */
const script = 'for file; do insmod "$file" 2>&1; echo "status $?"; done';

/** busybox insmod: plain files, no dependencies, no search. One shell for all: each start of a process takes its time. */
export const insertModules: InsertModules = (paths) =>
  new Promise((resolve, reject) => {
    execFile('/bin/busybox', ['sh', '-c', script, 'sh', ...paths], (error, stdout) => {
      if (error === null) resolve(parseOutcomes(stdout));
      else reject(error);
    });
  });

/** The reason is what follows the last colon: `insmod: can't insert 'x.ko': No such device`. */
export function parseOutcomes(output: string): (string | undefined)[] {
  const outcomes: (string | undefined)[] = [];
  let words = '';
  for (const line of output.split('\n')) {
    const status = /^status (\d+)$/.exec(line)?.[1];
    if (status === undefined) {
      words = line;
      continue;
    }
    outcomes.push(status === '0' ? undefined : words.split(': ').at(-1) || `insmod ended with ${status}`);
    words = '';
  }
  return outcomes;
}
