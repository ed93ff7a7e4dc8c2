import { hash, X509Certificate } from 'node:crypto';
import type { SecureBootKeys } from '#images/passport/secure-boot-keys.ts';
import { readAttributeBytes, type Sysfs } from './sysfs.ts';

/** GUIDs of EFI_SIGNATURE_LIST as they lie in memory (UEFI 2.10, 32.4.1). */
const x509 = 'a159c0a5e494a74a87b5ab155c2bf072';
const sha256Hash = '2616c4c14c509240aca941f936934328';
const listHeaderBytes = 28;
const ownerBytes = 16;

export interface SignatureEntry {
  readonly kind: 'certificate' | 'hash' | 'other';
  readonly bytes: Buffer;
}

/** Entries of EFI_SIGNATURE_LIST structures; a list that is cut short ends the reading. */
export function parseSignatureLists(bytes: Buffer): SignatureEntry[] {
  const entries: SignatureEntry[] = [];
  for (let at = 0; at + listHeaderBytes <= bytes.length; ) {
    const type = bytes.toString('hex', at, at + 16);
    const listBytes = bytes.readUInt32LE(at + 16);
    const headerBytes = bytes.readUInt32LE(at + 20);
    const entryBytes = bytes.readUInt32LE(at + 24);
    const end = at + listBytes;
    if (listBytes < listHeaderBytes || end > bytes.length || entryBytes <= ownerBytes) break;
    const kind = type === x509 ? 'certificate' : type === sha256Hash ? 'hash' : 'other';
    for (let entry = at + listHeaderBytes + headerBytes; entry + entryBytes <= end; entry += entryBytes)
      entries.push({ kind, bytes: bytes.subarray(entry + ownerBytes, entry + entryBytes) });
    at = end;
  }
  return entries;
}

/** GUIDs of EFI_IMAGE_SECURITY_DATABASE and of shim's own variables. */
const databases = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const shim = '605dab50-e046-4300-abb6-3dd810dd8b23';
/** efivarfs puts four bytes of attributes before the value. */
const attributeBytes = 4;

/** Undefined where the firmware has no such databases. */
export async function readSecureBootKeys(sysfs: Sysfs): Promise<SecureBootKeys | undefined> {
  const read = async (name: string) =>
    (await readAttributeBytes(sysfs, `sys/firmware/efi/efivars/${name}`))?.subarray(attributeBytes);
  const db = await read(`db-${databases}`);
  if (db === undefined) return undefined;
  const dbx = parseSignatureLists((await read(`dbx-${databases}`)) ?? Buffer.alloc(0));
  const allowed = parseSignatureLists(db);
  // SbatLevel itself is for boot services only; shim leaves a copy for the running system.
  const sbatLevel = (await read(`SbatLevelRT-${shim}`))?.toString('latin1').replace(/\0+$/, '');
  const hashes = (kind: SignatureEntry['kind']) => dbx.filter((entry) => entry.kind === kind);
  return {
    db: allowed
      .filter(({ kind }) => kind === 'certificate')
      .map(({ bytes }) => ({ sha256: hash('sha256', bytes), subject: subjectOf(bytes) })),
    dbx: {
      loaders: [...new Set(hashes('hash').map(({ bytes }) => bytes.toString('hex')))].sort(),
      certificates: hashes('certificate').map(({ bytes }) => hash('sha256', bytes)),
    },
    otherEntries: hashes('other').length + allowed.filter(({ kind }) => kind !== 'certificate').length,
    ...(sbatLevel === undefined ? {} : { sbatLevel }),
  };
}

function subjectOf(certificate: Buffer): string {
  try {
    return /^CN=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1]?.slice(0, 512) ?? '';
  } catch {
    return '';
  }
}
