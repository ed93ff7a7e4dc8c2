import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';

const openssl = { command: 'openssl', debianPackage: 'openssl' };

/**
 * Arguments are paths and names, never secrets.
 * @throws RekindleError `usage`: not installed, or refused with openssl's own words as cause
 */
export async function runOpenssl(doing: string, args: readonly string[], cwd: string): Promise<void> {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin', HOME: cwd };
  const { status, stderr } = await callTool(doing, openssl, args, { cwd, env });
  if (status === 0) return;
  throw new RekindleError('usage', doing, {
    cause: new Error(stderr.trim()),
    next: 'The reason above is openssl’s.',
  });
}
