import { readFile } from 'node:fs/promises';
import { type SecretKey, signBytes } from '#images/format/minisign.ts';
import { type CpioEntry, formatCpio } from './cpio.ts';
import { type WrittenFile, writeWhole } from './initrd-file.ts';
import type { PackManifest } from './pack-manifest.ts';

/** The exact bytes of `pack.json`: what is signed, and what the runtime reads. */
export function manifestBytes(manifest: PackManifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
}

/** The same manifest and key give the same signature: no time is in it. */
function signManifest(manifest: PackManifest, key: SecretKey): string {
  const whose = manifest.station ?? 'universal';
  return signBytes(
    manifestBytes(manifest),
    key,
    `rekindle driver pack ${whose} for kernel ${manifest.kernel}`,
  );
}

function signatureEntry(directory: string, manifest: PackManifest, key: SecretKey): CpioEntry {
  const bytes = Buffer.from(signManifest(manifest, key));
  return { kind: 'file', path: `${directory}/pack.json.minisig`, mode: 0o644, bytes };
}

/**
 * Adds the site's signature to a pack: an archive of its own behind the compressed one, as the kernel unpacks them one
 * after another. So a universal pack that was built once can be signed by any site.
 */
export async function signPackFile(
  { unsigned, output, directory }: { unsigned: string; output: string; directory: string },
  manifest: PackManifest,
  key: SecretKey,
): Promise<WrittenFile> {
  const pack = await readFile(unsigned);
  const gap = new Uint8Array((4 - (pack.length % 4)) % 4);
  return writeWhole(
    output,
    Buffer.concat([pack, gap, formatCpio([signatureEntry(directory, manifest, key)])]),
  );
}
