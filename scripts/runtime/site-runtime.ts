import { readFile } from 'node:fs/promises';
import { formatCpio } from '#driver-packs/cpio.ts';
import { type WrittenFile, writeWhole } from '#driver-packs/initrd-file.ts';

/** What makes a runtime this site's: both are public. */
export interface SiteTrust {
  /** PEM of the CA that the service's certificate must come from. */
  readonly caPem: string;
  /** minisign public key file of the image signer. */
  readonly imageSignerPublicKey: string;
}

/** The site's part as an archive of its own: small, and written when the site changes. */
function siteInitrd({ caPem, imageSignerPublicKey }: SiteTrust): Buffer {
  return formatCpio([
    { kind: 'file', path: 'rekindle/site/ca.pem', mode: 0o644, bytes: Buffer.from(caPem) },
    {
      kind: 'file',
      path: 'rekindle/site/image-signer.pub',
      mode: 0o644,
      bytes: Buffer.from(imageSignerPublicKey),
    },
  ]);
}

/** Joins the base initrd and the site's parts into the one file that the service hands out. */
export async function writeSiteRuntime({
  base,
  site,
  share,
  output,
}: {
  /** Path of the base initrd. */
  readonly base: string;
  readonly site: SiteTrust;
  /** What mounts the site's share (share-part.ts), where images lie on one. */
  readonly share?: Uint8Array;
  readonly output: string;
}): Promise<WrittenFile> {
  const compressed = await readFile(base);
  // The kernel looks for an uncompressed archive at multiples of four only, and skips zeros before it.
  const gap = new Uint8Array((4 - (compressed.length % 4)) % 4);
  return await writeWhole(
    output,
    Buffer.concat([compressed, gap, siteInitrd(site), ...(share === undefined ? [] : [share])]),
  );
}
