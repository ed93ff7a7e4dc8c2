import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, type Tool } from '#base/run-tool.ts';
import { writeWhole } from './initrd-file.ts';
import type { UnpackedKernel } from './kernel-package.ts';

/** How a bzImage may be packed (Documentation/arch/x86/boot.rst, scripts/extract-vmlinux): magic, and what unpacks it. */
const packers: readonly (readonly [magic: string, tool: Tool, args: readonly string[]])[] = [
  ['fd377a585a00', { command: 'xz', debianPackage: 'xz-utils' }, ['-dc', '--single-stream']],
  ['28b52ffd', { command: 'zstd', debianPackage: 'zstd' }, ['-dcq']],
  ['1f8b08', { command: 'gzip', debianPackage: 'gzip' }, ['-dc']],
];

/**
 * The certificates that a kernel was built with (its built-in trusted keyring), as a PEM file beside it: whose
 * modules it takes under Secure Boot. Debian signs its modules with a key that exists for one build only, and the
 * certificate is nowhere but in the kernel image.
 * @throws RekindleError `unexpected` when the image cannot be unpacked or holds no certificate
 */
export async function kernelKeyFile(kernel: UnpackedKernel): Promise<string> {
  const file = join(dirname(kernel.vmlinuz), `trusted-keys-${kernel.version}.pem`);
  if (existsSync(file)) return file;
  const certificates = findCertificates(await unpackImage(await readFile(kernel.vmlinuz)));
  if (certificates.length === 0) {
    throw new RekindleError(
      'unexpected',
      `Looking for the keys of kernel ${kernel.version}: it has none built in`,
    );
  }
  await writeWhole(file, Buffer.from(certificates.map((each) => each.toString()).join('')));
  return file;
}

async function unpackImage(image: Buffer): Promise<Buffer> {
  for (const [magic, tool, args] of packers) {
    const at = image.indexOf(Buffer.from(magic, 'hex'));
    if (at < 0) continue;
    // The packed kernel is followed by more of the image, which the tool complains about.
    const input = image.subarray(at);
    const { stdout } = await callTool('unpacking the kernel image', tool, args, { input });
    if (stdout.length > image.length) return stdout;
  }
  throw new RekindleError('unexpected', 'Unpacking the kernel image: it is packed in none of the known ways');
}

/** X.509 certificates in DER anywhere in the bytes: a SEQUENCE with a SEQUENCE in it, long enough, that parses. */
function findCertificates(bytes: Buffer): X509Certificate[] {
  const found = new Map<string, X509Certificate>();
  const sequence = Buffer.from([0x30, 0x82]);
  for (let at = bytes.indexOf(sequence); at >= 0; at = bytes.indexOf(sequence, at + 1)) {
    const length = bytes.readUInt16BE(Math.min(at + 2, bytes.length - 2)) + 4;
    if (length < 400 || length > 4096 || bytes.readUInt16BE(at + 4) !== 0x3082) continue;
    try {
      const certificate = new X509Certificate(bytes.subarray(at, at + length));
      found.set(certificate.fingerprint256, certificate);
    } catch {
      // Most of what looks like one is code.
    }
  }
  return [...found.values()];
}
