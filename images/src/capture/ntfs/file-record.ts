/** FILE records and INDX blocks of NTFS: bytes to values, nothing is read here. */

export interface FileRecord {
  readonly number: number;
  readonly sequence: number;
  readonly inUse: boolean;
  readonly isDirectory: boolean;
  /** Record that this one extends; 0 for a base record. */
  readonly baseRecord: number;
  readonly attributes: readonly Attribute[];
}

export type Attribute = {
  readonly type: number;
  readonly name: string;
  /** 0x00ff compressed, 0x4000 encrypted, 0x8000 sparse. */
  readonly flags: number;
} & (
  | { readonly resident: true; readonly value: Buffer }
  | {
      readonly resident: false;
      readonly lowestVcn: number;
      /** Of the whole attribute; only its first part says so. */
      readonly allocatedBytes: number;
      readonly dataBytes: number;
      readonly mappingPairs: Buffer;
    }
);

export const attributeTypes = {
  attributeList: 0x20,
  fileName: 0x30,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
} as const;

const endOfAttributes = 0xffffffff;

/**
 * Puts back what the update sequence replaced at the end of every 512 bytes. A copy is changed.
 * @throws Error when a sector is of another write than the block: it was torn
 */
export function applyFixups(block: Uint8Array, magic: 'FILE' | 'INDX' | 'RSTR'): Buffer {
  const bytes = Buffer.from(block);
  if (bytes.toString('latin1', 0, 4) !== magic)
    throw new Error(`"${bytes.toString('latin1', 0, 4)}" is no ${magic}`);
  const [at, count] = [bytes.readUInt16LE(4), bytes.readUInt16LE(6)];
  const sectors = count - 1;
  if (sectors < 1 || sectors * 512 > bytes.length || at + count * 2 > bytes.length)
    throw new Error(`a ${magic} has ${count} update sequence numbers at ${at}`);
  for (let sector = 1; sector <= sectors; sector++) {
    const end = sector * 512 - 2;
    if (bytes.readUInt16LE(end) !== bytes.readUInt16LE(at)) throw new Error(`a ${magic} is torn`);
    bytes.writeUInt16LE(bytes.readUInt16LE(at + sector * 2), end);
  }
  return bytes;
}

/** @throws Error when it is no FILE record, or not that one */
export function parseFileRecord(block: Uint8Array, number: number): FileRecord {
  const bytes = applyFixups(block, 'FILE');
  const used = bytes.readUInt32LE(0x18);
  if (used > bytes.length) throw new Error(`FILE record ${number} claims ${used} bytes`);
  const attributes: Attribute[] = [];
  for (let at = bytes.readUInt16LE(0x14); ; ) {
    if (at + 4 > used) throw new Error(`FILE record ${number} has no end of attributes`);
    const type = bytes.readUInt32LE(at);
    if (type === endOfAttributes) break;
    const length = bytes.readUInt32LE(at + 4);
    if (length < 24 || length % 8 !== 0 || at + length > used)
      throw new Error(`an attribute of FILE record ${number} claims ${length} bytes`);
    attributes.push(parseAttribute(bytes.subarray(at, at + length), type));
    at += length;
  }
  const flags = bytes.readUInt16LE(0x16);
  return {
    number,
    sequence: bytes.readUInt16LE(0x10),
    inUse: (flags & 1) !== 0,
    isDirectory: (flags & 2) !== 0,
    baseRecord: parseReference(bytes, 0x20).record,
    attributes,
  };
}

function parseAttribute(bytes: Buffer, type: number): Attribute {
  const nameAt = bytes.readUInt16LE(0x0a);
  const name = bytes.toString('utf16le', nameAt, nameAt + bytes.readUInt8(9) * 2);
  const common = { type, name, flags: bytes.readUInt16LE(0x0c) };
  if (bytes.readUInt8(8) === 0) {
    const [length, at] = [bytes.readUInt32LE(0x10), bytes.readUInt16LE(0x14)];
    if (at + length > bytes.length) throw new Error(`a value of ${length} bytes leaves its attribute`);
    return { ...common, resident: true, value: bytes.subarray(at, at + length) };
  }
  if (bytes.length < 0x40) throw new Error(`a non-resident attribute has ${bytes.length} bytes`);
  return {
    ...common,
    resident: false,
    lowestVcn: readNumber(bytes, 0x10),
    allocatedBytes: readNumber(bytes, 0x28),
    dataBytes: readNumber(bytes, 0x30),
    mappingPairs: bytes.subarray(bytes.readUInt16LE(0x20)),
  };
}

/** Number of a FILE record and how often it was used again. */
export interface FileReference {
  readonly record: number;
  readonly sequence: number;
}

export function parseReference(bytes: Buffer, at: number): FileReference {
  return { record: bytes.readUIntLE(at, 6), sequence: bytes.readUInt16LE(at + 6) };
}

/** @throws Error above 2^53: on no volume */
export function readNumber(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`${value} is no size or position`);
  return Number(value);
}
