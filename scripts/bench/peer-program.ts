import { execFile } from 'node:child_process';
import { access, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const cache = path.join(import.meta.dirname, '..', '..', '.rekindle', 'bench-peers');

/**
 * Path of a server in a Debian package that is unpacked, not installed: installing starts it, and the two TFTP servers
 * exclude each other. The bare name when apt cannot fetch it: the scenario then notes that it did not start.
 */
export async function peerProgram(debianPackage: string, name: string): Promise<string> {
  const folder = path.join(cache, debianPackage);
  const program = path.join(folder, 'usr', 'sbin', name);
  try {
    await access(program);
    return program;
  } catch {
    // Not there yet.
  }
  try {
    await mkdir(folder, { recursive: true });
    await execute('apt-get', ['download', debianPackage], { cwd: folder });
    const file = (await readdir(folder)).find((each) => each.endsWith('.deb')) ?? '';
    await execute('dpkg-deb', ['--extract', file, '.'], { cwd: folder });
    return program;
  } catch {
    return name;
  }
}
