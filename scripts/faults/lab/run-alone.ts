import { callTool } from '#base/run-tool.ts';

/** A script of ours in a process of its own, without any fault of strace. */
export async function runAlone(
  child: readonly string[],
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const node = { command: process.execPath, debianPackage: 'nodejs' };
  const result = await callTool('Running a child', node, child);
  return { ...result, stdout: result.stdout.toString() };
}
