import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callTool, missingTool, type Tool, type ToolResult } from '#base/run-tool.ts';
import type { DomainSettings } from './domain-settings.ts';

/** A client program of Samba, with the site's account. */
export interface SambaCall {
  readonly doing: string;
  readonly tool: Tool;
  readonly args: readonly string[];
  readonly signal?: AbortSignal;
  /** It is cut off there, and both its outputs are one; what it said until then is handed back. */
  readonly atMost?: { readonly seconds: number; readonly bytes: number };
}

/**
 * Samba's programs open the file of their credentials by name: /dev/stdin is such a file while it is a pipe, and what
 * Node gives to a child is a socket. A pipeline has the status of its last program: that of the bounded one is told on
 * standard error.
 */
const byPipe = 'cat | "$@" --authentication-file=/dev/stdin';
const bounded =
  'bytes=$1; shift; { cat | timeout "$@" --authentication-file=/dev/stdin 2>&1; echo $? >&2; } | head -c "$bytes"';

/** Of a shell, and of `timeout`, that find no such program. */
const notFound = 127;
/** Of `timeout` when it ended the program. */
export const cutByTime = 124;

/**
 * Password and account travel on standard input: no argument, no environment and no file of this computer holds them.
 * @returns whatever it said; the status is for the caller to judge
 * @throws RekindleError `usage` when the program is not installed
 */
export async function callSamba(
  { domain, credentials }: Pick<DomainSettings, 'domain' | 'credentials'>,
  { doing, tool, args, signal, atMost }: SambaCall,
): Promise<ToolResult> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-samba-'));
  try {
    const command = [tool.command, ...args, `--configfile=${await writeConfiguration(folder, domain)}`];
    const { account, password } = credentials;
    const result = await callTool(
      doing,
      { ...tool, command: 'sh' },
      atMost === undefined
        ? ['-c', byPipe, 'sh', ...command]
        : ['-c', bounded, 'sh', String(atMost.bytes), String(atMost.seconds), ...command],
      {
        input: Buffer.from(`username = ${account}\npassword = ${password}\ndomain = ${domain}\n`),
        // Samba writes times of this computer's zone.
        env: { ...(process.env as Record<string, string>), TZ: 'UTC' },
        ...(signal === undefined ? {} : { signal }),
      },
    );
    const told = /^(\d+)$/m.exec(result.stderr)?.[1];
    const status = atMost === undefined || told === undefined ? result.status : Number(told);
    if (status === notFound) throw missingTool(doing, tool, new Error(result.stderr.trim()));
    return { ...result, status };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without a configuration of its own the program would use, and write to, this computer's. */
async function writeConfiguration(folder: string, domain: string): Promise<string> {
  const folders = ['private', 'lock', 'state', 'cache'];
  for (const name of folders) await mkdir(join(folder, name));
  const configuration = join(folder, 'smb.conf');
  await writeFile(
    configuration,
    [
      '[global]',
      `realm = ${domain.toUpperCase()}`,
      `workgroup = ${domain.split('.')[0]?.toUpperCase()}`,
      ...['security = user', 'client min protocol = SMB2_10', 'client signing = required'],
      ...folders.map((name) => `${name} ${name === 'private' ? 'dir' : 'directory'} = ${join(folder, name)}`),
      '',
    ].join('\n'),
  );
  return configuration;
}
