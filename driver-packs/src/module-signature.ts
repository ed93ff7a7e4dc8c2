import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callTool } from '#base/run-tool.ts';

/** `struct module_signature` and what follows it (linux/module_signature.h). */
const magic = Buffer.from('~Module signature appended~\n');
const structBytes = 12;
const pkcs7 = 2;

/**
 * `kernel`: by a key built into the kernel, which takes it under Secure Boot. `foreign`: by another key, or not over
 * these bytes; Secure Boot takes it only when that key is enrolled on the machine (MOK). `none`: not signed.
 */
export type ModuleSignature = 'kernel' | 'foreign' | 'none';

export interface SplitModule {
  readonly module: Buffer;
  /** PKCS #7 in DER. */
  readonly signature: Buffer;
}

/** Undefined when nothing is appended, or nothing that a kernel would read. */
export function splitModule(bytes: Buffer): SplitModule | undefined {
  if (!bytes.subarray(-magic.length).equals(magic)) return undefined;
  const structAt = bytes.length - magic.length - structBytes;
  if (structAt < 0 || bytes[structAt + 2] !== pkcs7) return undefined;
  const length = bytes.readUInt32BE(structAt + 8);
  if (length === 0 || length > structAt) return undefined;
  return {
    module: bytes.subarray(0, structAt - length),
    signature: bytes.subarray(structAt - length, structAt),
  };
}

/** Verifies the signature over the bytes themselves, as the kernel will. */
export async function checkModuleSignature(bytes: Buffer, kernelKeys: string): Promise<ModuleSignature> {
  const split = splitModule(bytes);
  if (split === undefined) return 'none';
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-module-'));
  try {
    const file = (name: string) => join(folder, name);
    await writeFile(file('module'), split.module);
    await writeFile(file('signature'), split.signature);
    const { status } = await callTool(
      'checking the signature of a module',
      { command: 'openssl', debianPackage: 'openssl' },
      [
        ...[
          'cms',
          '-verify',
          '-binary',
          '-inform',
          'DER',
          '-in',
          file('signature'),
          '-content',
          file('module'),
        ],
        // The certificates are trusted as they are: they come out of the kernel.
        ...['-certfile', kernelKeys, '-noverify', '-out', '/dev/null'],
      ],
    );
    return status === 0 ? 'kernel' : 'foreign';
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
