import { spawn } from 'node:child_process';
import { RekindleError } from './errors.ts';

/** A program of a Debian package; the package is named when the program is missing. */
export interface Tool {
  readonly command: string;
  readonly debianPackage: string;
}

export interface ToolOptions {
  readonly cwd?: string;
  /** Instead of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** For its standard input, which is /dev/null otherwise. */
  readonly input?: Uint8Array;
  /** Gets what it says on standard error while it runs, part by part: its progress. */
  readonly onStderr?: (part: string) => void;
  /** Ends the tool with SIGTERM. */
  readonly signal?: AbortSignal;
}

export interface ToolResult {
  /** -1 when a signal ended it; the signal is the last line of `stderr` then. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const lastLinesKept = 15;

/**
 * Runs a tool to its end and hands back whatever it said; the status is for the caller to judge. `doing`
 * goes into the error sentence: "writing the partition table of disk.raw".
 * @throws RekindleError `usage` when the tool is not installed
 */
export function callTool(
  doing: string,
  tool: Tool,
  args: readonly string[],
  { cwd, env = process.env as Record<string, string>, input, onStderr, signal }: ToolOptions = {},
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool.command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      // The tools' messages are part of our error reports: always in one language.
      env: { ...env, LC_ALL: 'C.UTF-8' },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const end = (): void => void child.kill('SIGTERM');
    signal?.addEventListener('abort', end);
    if (signal?.aborted === true) end();
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (part: Buffer) => stdout.push(part));
    child.stderr?.on('data', (part: Buffer) => {
      stderr.push(part);
      onStderr?.(part.toString());
    });
    child.once('error', (cause) => reject(missingTool(doing, tool, cause)));
    child.once('close', (status, endedBy) => {
      signal?.removeEventListener('abort', end);
      const ending = endedBy === null ? '' : `\nended by ${endedBy}`;
      resolve({
        status: status ?? -1,
        stdout: Buffer.concat(stdout),
        stderr: asOnTerminal(Buffer.concat(stderr).toString()) + ending,
      });
    });
    // A tool that ends without reading its input is judged by its status, not by the broken pipe.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Without what a tool wrote over itself: of a line with carriage returns, what stands after the last one. */
function asOnTerminal(text: string): string {
  return text
    .split('\n')
    .map((line) => line.slice(line.lastIndexOf('\r', line.length - 2) + 1))
    .join('\n');
}

/**
 * Runs a tool that has to succeed; what it wrote, as bytes.
 * @throws RekindleError `usage` (not installed) or `unexpected` (failed; its last lines are the cause)
 */
export async function runToolForBytes(
  doing: string,
  tool: Tool,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<Buffer> {
  const { status, stdout, stderr } = await callTool(doing, tool, args, options);
  if (status === 0) return stdout;
  const said = `${stdout.toString()}\n${stderr}`.trim().split('\n').slice(-lastLinesKept).join('\n');
  throw new RekindleError('unexpected', `${tool.command} failed with status ${status} while ${doing}`, {
    cause: new Error(said === '' ? 'it said nothing' : said),
  });
}

/** The same; what it wrote, as text. */
export async function runTool(
  doing: string,
  tool: Tool,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  return (await runToolForBytes(doing, tool, args, options)).toString();
}

export function missingTool(doing: string, tool: Tool, cause: unknown): RekindleError {
  return new RekindleError('usage', `${doing}: ${tool.command} did not start`, {
    cause,
    next: `Install the Debian package ${tool.debianPackage}: apt-get install ${tool.debianPackage}`,
  });
}
