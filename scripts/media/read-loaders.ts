import { hash, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '#base/run-tool.ts';
import type { Loader, Signer } from './judge-loaders.ts';
import { efiFiles } from './loaders.ts';
import { parsePeImage } from './pe-image.ts';

const mcopy = { command: 'mcopy', debianPackage: 'mtools' };
const openssl = { command: 'openssl', debianPackage: 'openssl' };

/** @param partition of the EFI loaders as mtools names it: a FAT image, `@@` and a byte position where it is inside */
export async function readLoaders(
  partition: string,
  paths: readonly string[] = efiFiles.map(([path]) => path),
): Promise<Loader[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-loaders-'));
  try {
    const loaders: Loader[] = [];
    for (const [at, path] of paths.entries()) {
      const file = join(folder, 'loader.efi');
      await runTool(`reading ${path} of the medium`, mcopy, ['-o', '-i', partition, `::/${path}`, file]);
      const { signatures, ...image } = parsePeImage(await readFile(file));
      loaders.push({
        name: path,
        isFirst: at === 0,
        ...image,
        signatures: await Promise.all(signatures.map((der, number) => readSigners(der, folder, number))),
      });
    }
    return loaders;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readSigners(der: Buffer, folder: string, number: number): Promise<Signer[]> {
  const file = join(folder, `signature-${number}.der`);
  await writeFile(file, der);
  const text = await runTool('reading who signed a boot loader', openssl, [
    ...['pkcs7', '-inform', 'DER', '-in', file, '-print_certs'],
  ]);
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return certificates.map((pem) => {
    const { raw, subject, issuer } = new X509Certificate(pem);
    return {
      sha256: hash('sha256', raw),
      subject: commonName(subject),
      issuer: commonName(issuer),
    };
  });
}

const commonName = (name: string): string => /^CN=(.*)$/m.exec(name)?.[1] ?? '';
