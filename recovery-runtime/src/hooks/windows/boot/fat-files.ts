import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, type Tool } from '#base/run-tool.ts';
import { originalEnding } from '../registry/stored-hive.ts';

const mtools: Tool = { command: 'mtools', debianPackage: 'mtools' };
/** mtools wants geometry that no ESP has. */
const environment = { PATH: process.env['PATH'] ?? '/bin', MTOOLS_SKIP_CHECK: '1' };

/**
 * Files of a FAT partition by their Windows paths (`\EFI\Microsoft\Boot\BCD`), by mtools: no mount, no case of
 * names, and it does not matter whether the kernel knows FAT.
 */
export interface FatFiles {
  /** Null: there is no such file. */
  read(path: string): Promise<Buffer | null>;
  /**
   * Puts other bytes in an existing file's place and reads them back; the file as it was stays beside it. FAT has no
   * rename that replaces, so a power cut in between leaves only the original: the next restore writes all anew.
   */
  replace(path: string, bytes: Buffer): Promise<void>;
}

export function fatFiles(node: string): FatFiles {
  const onVolume = (path: string): string => `::${path.replaceAll('\\', '/')}`;
  const call = (doing: string, command: string, args: readonly string[]) =>
    callTool(doing, mtools, ['-c', command, '-i', node, ...args], { env: environment });
  const must = async (doing: string, command: string, args: readonly string[]): Promise<void> => {
    const { status, stderr } = await call(doing, command, args);
    if (status !== 0) throw new RekindleError('unexpected', doing, { cause: new Error(stderr.trim()) });
  };
  const read = async (path: string): Promise<Buffer | null> => {
    const folder = await mkdtemp(join(tmpdir(), 'rekindle-esp-'));
    try {
      const copy = join(folder, 'copy');
      const doing = `reading ${path} of the boot partition ${node}`;
      const { status, stderr } = await call(doing, 'mcopy', ['-n', onVolume(path), copy]);
      if (status === 0 && existsSync(copy)) return await readFile(copy);
      if (/not found|no such file/i.test(stderr)) return null;
      throw new RekindleError('verification-failed', doing, {
        cause: new Error(stderr.trim() || `mcopy ended with ${status}`),
        next: 'Look at the boot partition: it may be damaged, or no FAT file system.',
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    read,
    async replace(path, bytes) {
      const doing = `writing ${path} of the boot partition ${node}`;
      const before = await read(path);
      if (before === null) throw new RekindleError('verification-failed', `${doing}: it is not there`);
      const folder = await mkdtemp(join(tmpdir(), 'rekindle-esp-'));
      try {
        const [original, fresh] = [join(folder, 'original'), join(folder, 'fresh')];
        await writeFile(original, before);
        await writeFile(fresh, bytes);
        if ((await read(`${path}${originalEnding}`)) === null)
          await must(doing, 'mcopy', ['-n', original, onVolume(`${path}${originalEnding}`)]);
        await must(doing, 'mcopy', ['-o', fresh, onVolume(path)]);
        if ((await read(path))?.equals(bytes) === true) return;
        await must(doing, 'mcopy', ['-o', original, onVolume(path)]);
        throw new RekindleError('verification-failed', doing, {
          cause: new Error('read back, it was another; it was put back as it was'),
          next: 'Look at the boot partition: it may be full or damaged.',
        });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
