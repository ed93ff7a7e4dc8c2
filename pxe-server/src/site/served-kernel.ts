import { copyFile, readFile, rename } from 'node:fs/promises';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { makeFolder } from '#base/make-folder.ts';
import type { UnpackedKernel } from '#driver-packs/kernel-package.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import type { SitePaths } from './site-paths.ts';

const servedKernelSchema = z.strictObject({
  version: z.string(),
  packageVersion: z.string(),
  vmlinuz: z.string(),
  modulesDirectory: z.string(),
});

/** Puts a kernel into the site folder, and remembers where its modules are. */
export async function writeServedKernel(paths: SitePaths, kernel: UnpackedKernel): Promise<void> {
  await makeFolder(paths.runtime);
  await copyFile(kernel.vmlinuz, `${paths.kernel}.partial`);
  await rename(`${paths.kernel}.partial`, paths.kernel);
  const record = servedKernelSchema.parse(kernel);
  await writeFileDurably(paths.kernelRecord, Buffer.from(`${JSON.stringify(record, null, 2)}\n`));
}

/** @throws RekindleError `usage` when no runtime was built for this site, or its kernel's modules are gone */
export async function readServedKernel(paths: SitePaths): Promise<UnpackedKernel> {
  try {
    return servedKernelSchema.parse(JSON.parse(await readFile(paths.kernelRecord, 'utf8')));
  } catch (cause) {
    throw new RekindleError('usage', 'Looking for the drivers of the kernel that this site serves', {
      cause,
      next: 'Build kernel and runtime first: rekindle runtime build',
    });
  }
}
