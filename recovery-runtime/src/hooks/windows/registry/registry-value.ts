/** A registry value with what it means; what has no meaning of its own here stays bytes. */
export type RegistryValue =
  | { readonly type: 'string' | 'expand-string'; readonly value: string }
  | { readonly type: 'multi-string'; readonly value: readonly string[] }
  | { readonly type: 'dword'; readonly value: number }
  | { readonly type: 'binary'; readonly value: Buffer }
  | { readonly type: 'other'; readonly number: number; readonly value: Buffer };

/** REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ of winnt.h. */
const typeNumbers = { string: 1, 'expand-string': 2, binary: 3, dword: 4, 'multi-string': 7 } as const;

export function decodeRegistryValue(number: number, bytes: Buffer): RegistryValue {
  switch (number) {
    case typeNumbers.string:
      return { type: 'string', value: decodeText(bytes) };
    case typeNumbers['expand-string']:
      return { type: 'expand-string', value: decodeText(bytes) };
    case typeNumbers['multi-string']:
      return { type: 'multi-string', value: bytes.toString('utf16le').split('\0').filter(Boolean) };
    case typeNumbers.binary:
      return { type: 'binary', value: bytes };
    case typeNumbers.dword:
      if (bytes.length === 4) return { type: 'dword', value: bytes.readUInt32LE(0) };
  }
  return { type: 'other', number, value: bytes };
}

export function encodeRegistryValue(value: RegistryValue): {
  readonly number: number;
  readonly bytes: Buffer;
} {
  switch (value.type) {
    case 'string':
    case 'expand-string':
      return { number: typeNumbers[value.type], bytes: encodeText(value.value) };
    case 'multi-string':
      return {
        number: typeNumbers['multi-string'],
        bytes: encodeText(value.value.map((each) => `${each}\0`).join('')),
      };
    case 'dword': {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value.value >>> 0);
      return { number: typeNumbers.dword, bytes };
    }
    case 'binary':
      return { number: typeNumbers.binary, bytes: value.value };
    case 'other':
      return { number: value.number, bytes: value.value };
  }
}

export function sameRegistryValue(a: RegistryValue, b: RegistryValue): boolean {
  const [left, right] = [encodeRegistryValue(a), encodeRegistryValue(b)];
  return left.number === right.number && left.bytes.equals(right.bytes);
}

/** Ends at the first NUL; Windows accepts strings that have none. */
function decodeText(bytes: Buffer): string {
  const text = bytes.toString('utf16le', 0, bytes.length - (bytes.length % 2));
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

const encodeText = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf16le');
