import { createHash } from 'node:crypto';

/** What a firmware and shim look at in a boot loader (Microsoft: PE Format; Windows Authenticode PE Signature Format). */
export interface PeImage {
  /** Hash of everything but the checksum and the signatures: what a signature signs and `dbx` forbids. */
  readonly authenticodeSha256: string;
  /** PKCS #7 in DER, one for each signature. */
  readonly signatures: readonly Buffer[];
  /** Component and generation, from the section `.sbat`; empty when there is none. */
  readonly sbat: ReadonlyMap<string, number>;
}

const pe32Plus = 0x20b;
const certificateTable = 4;
const pkcsSignedData = 2;

/** @throws RangeError for what is no PE32+ image */
export function parsePeImage(bytes: Buffer): PeImage {
  const pe = bytes.readUInt32LE(0x3c);
  const optional = pe + 24;
  if (bytes.toString('latin1', pe, pe + 4) !== 'PE\0\0' || bytes.readUInt16LE(optional) !== pe32Plus)
    throw new RangeError('it is no PE32+ image');
  const checksum = optional + 64;
  const directory = optional + 112 + certificateTable * 8;
  const tableAt = bytes.readUInt32LE(directory);
  const tableEnd = tableAt + bytes.readUInt32LE(directory + 4);
  const end = tableAt === 0 ? bytes.length : tableAt;
  const hash = createHash('sha256')
    .update(bytes.subarray(0, checksum))
    .update(bytes.subarray(checksum + 4, directory))
    .update(bytes.subarray(directory + 8, end))
    .update(bytes.subarray(tableAt === 0 ? bytes.length : tableEnd));
  return {
    authenticodeSha256: hash.digest('hex'),
    signatures: tableAt === 0 ? [] : parseCertificateTable(bytes.subarray(tableAt, tableEnd)),
    sbat: parseSbat(findSection(bytes, pe, '.sbat')),
  };
}

/** WIN_CERTIFICATE entries, each at a multiple of eight bytes. */
function parseCertificateTable(table: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 8 <= table.length; ) {
    const length = table.readUInt32LE(at);
    if (length < 8 || at + length > table.length) break;
    if (table.readUInt16LE(at + 6) === pkcsSignedData) found.push(table.subarray(at + 8, at + length));
    at += (length + 7) & ~7;
  }
  return found;
}

function findSection(bytes: Buffer, pe: number, name: string): string {
  const sections = bytes.readUInt16LE(pe + 6);
  const first = pe + 24 + bytes.readUInt16LE(pe + 20);
  for (let number = 0; number < sections; number += 1) {
    const header = first + number * 40;
    if (bytes.toString('latin1', header, header + 8).replace(/\0+$/, '') !== name) continue;
    const size = Math.min(bytes.readUInt32LE(header + 8), bytes.readUInt32LE(header + 16));
    const start = bytes.readUInt32LE(header + 20);
    return bytes.toString('utf8', start, start + size).replace(/\0[\s\S]*$/, '');
  }
  return '';
}

/** Lines `component,generation,…` (shim's SBAT.md); the same form as SbatLevel. */
export function parseSbat(text: string): Map<string, number> {
  return new Map(
    text.split('\n').flatMap((line): [string, number][] => {
      const [component = '', generation = ''] = line.split(',');
      return component !== '' && /^\d+$/.test(generation) ? [[component, Number(generation)]] : [];
    }),
  );
}
