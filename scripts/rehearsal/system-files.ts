import path from 'node:path';
import { callTool } from '#base/run-tool.ts';
import type { ByteRange } from './disk-proof.ts';
import { withMounted } from './mounted-partition.ts';

const diff = { command: 'diff', debianPackage: 'diffutils' };

/**
 * Paths below the root at which the system partition of a disk differs from the image's, a folder that only one side
 * has as one path: names, kinds, contents and targets of links. Both are mounted read-only.
 */
export async function changedFiles(disk: string, reference: string, system: ByteRange): Promise<string[]> {
  return withMounted(
    reference,
    system,
    (before) => withMounted(disk, system, (after) => compareTrees(before, after), 'read'),
    'read',
  );
}

async function compareTrees(before: string, after: string): Promise<string[]> {
  const { status, stdout, stderr } = await callTool('comparing the systems of image and disk', diff, [
    ...['--recursive', '--brief', '--no-dereference', before, after],
  ]);
  const lines = stdout.toString().split('\n').filter(Boolean);
  if (status > 1) throw new Error(stderr);
  return lines.map((line) => pathOf(line, [before, after])).sort();
}

/** `Only in ROOT/etc: rekindle`, `Files ROOT/etc/issue and … differ`, and other words about two paths. */
function pathOf(line: string, roots: readonly string[]): string {
  const only = /^Only in (.*?): (.*)$/.exec(line);
  const first =
    only === null ? (/ (\/\S+)/.exec(line)?.[1] ?? line) : path.join(only[1] ?? '', only[2] ?? '');
  const root = roots.find((each) => first.startsWith(`${each}/`));
  return root === undefined ? line : first.slice(root.length + 1);
}
