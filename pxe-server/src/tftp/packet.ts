/** TFTP packets: RFC 1350 section 5, options of RFC 2347. Pure values and bytes. */

export const errorCode = {
  notDefined: 0,
  fileNotFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionRefused: 8, // RFC 2347
} as const;

export interface Request {
  readonly kind: 'rrq' | 'wrq';
  readonly fileName: string;
  /** Lower case; RFC 1350 knows octet, netascii and mail, any case. */
  readonly mode: string;
  /** Lower-case name to value as sent; the first of a repeated option counts. */
  readonly options: ReadonlyMap<string, string>;
}

/** What a client sends to a transfer. DATA and OACK are a server's packets and never parsed. */
export type ClientPacket =
  | Request
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'malformed'; readonly reason: string };

/** A block is complete with 4 bytes; RFC 2347 limits a request to 512, firmware with long paths sends more. */
const maximumRequest = 2048;

/** Never throws: what cannot be read is `malformed` with the reason. */
export function parseClientPacket(bytes: Uint8Array): ClientPacket {
  if (bytes.length < 4) return malformed(`${bytes.length} bytes are too short for a TFTP packet`);
  const opcode = uint16(bytes, 0);
  const number = uint16(bytes, 2);
  switch (opcode) {
    case 1:
    case 2:
      return parseRequest(opcode === 1 ? 'rrq' : 'wrq', bufferOf(bytes).subarray(2));
    case 4:
      return { kind: 'ack', block: number };
    case 5: {
      const data = bufferOf(bytes);
      const end = data.indexOf(0, 4);
      const message = data.toString('latin1', 4, end === -1 ? data.length : end);
      return { kind: 'error', code: number, message };
    }
    default:
      return malformed(`opcode ${opcode} is nothing a TFTP client sends`);
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function parseRequest(kind: 'rrq' | 'wrq', body: Buffer): ClientPacket {
  if (body.length > maximumRequest) return malformed(`a request of ${body.length} bytes`);
  if (body[body.length - 1] !== 0) return malformed('a request whose last string does not end');
  const strings = body.toString('latin1', 0, body.length - 1).split('\0');
  const [fileName = '', mode = '', ...rest] = strings;
  if (fileName === '' || mode === '') return malformed('a request without file name or mode');
  const options = new Map<string, string>();
  // A name without a value (some clients pad with zeros) is no option.
  for (let i = 0; i + 1 < rest.length; i += 2) {
    const name = (rest[i] ?? '').toLowerCase();
    if (name !== '' && !options.has(name)) options.set(name, rest[i + 1] ?? '');
  }
  return { kind, fileName, mode: mode.toLowerCase(), options };
}

function malformed(reason: string): ClientPacket {
  return { kind: 'malformed', reason };
}

/** `block` is any count from 1 up; the wire carries its low 16 bits. */
export function formatData(block: number, data: Uint8Array): Buffer {
  const bytes = ownMemory(4 + data.length);
  bytes.writeUInt16BE(3, 0);
  bytes.writeUInt16BE(block & 0xffff, 2);
  bytes.set(data, 4);
  return bytes;
}

export function formatError(code: number, message: string): Buffer {
  const bytes = ownMemory(4 + message.length + 1);
  bytes.writeUInt16BE(5, 0);
  bytes.writeUInt16BE(code, 2);
  bytes.write(`${message}\0`, 4, 'latin1');
  return bytes;
}

export function formatOptionAcknowledgement(options: ReadonlyMap<string, string>): Buffer {
  const strings = Array.from(options, ([name, value]) => `${name}\0${value}\0`).join('');
  const bytes = ownMemory(2 + strings.length);
  bytes.writeUInt16BE(6, 0);
  bytes.write(strings, 2, 'latin1');
  return bytes;
}

/** Not of Node's pool, of which a part that lives for a moment keeps 64 KiB (docs/facts.md). */
const ownMemory = (length: number): Buffer => Buffer.allocUnsafeSlow(length);
