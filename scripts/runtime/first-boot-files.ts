import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CpioEntry } from '#driver-packs/cpio.ts';
import { projectRoot } from './bundle.ts';

/** What the runtime puts into restored systems for their first boot (recovery-runtime/src/first-boot). */
export async function firstBootFiles(): Promise<CpioEntry[]> {
  const source = join(projectRoot, 'recovery-runtime/src/first-boot');
  return [
    {
      kind: 'file',
      path: 'rekindle/first-boot/linux/agent.sh',
      mode: 0o755,
      bytes: await readFile(join(source, 'linux/agent.sh')),
    },
  ];
}
