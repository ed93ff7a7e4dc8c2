/**
 * Numbers and messages of the NBD protocol, the parts that a read-only server needs: fixed newstyle
 * handshake, simple and structured replies, `base:allocation`
 * (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md). All numbers are big-endian.
 */

const initMagic = 0x4e42444d41474943n;
const optionMagic = 0x49484156454f5054n;
const optionReplyMagic = 0x3e889045565a9n;
const requestMagic = 0x25609513;
const simpleReplyMagic = 0x67446698;
const structuredReplyMagic = 0x668e33ef;

export const handshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;
export const option = {
  exportName: 1,
  abort: 2,
  list: 3,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;
export const optionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  unsupported: 0x8000_0001,
  invalid: 0x8000_0003,
  unknownExport: 0x8000_0006,
} as const;
export const transmissionFlag = { hasFlags: 1, readOnly: 2, sendDf: 1 << 7, canMultiConn: 1 << 8 } as const;
export const command = { read: 0, write: 1, disconnect: 2, blockStatus: 7 } as const;
export const commandFlag = { df: 1 << 2, requestOne: 1 << 3 } as const;
export const nbdError = { EPERM: 1, EIO: 5, EINVAL: 22, EOVERFLOW: 75 } as const;
const replyChunk = { none: 0, data: 1, hole: 2, blockStatus: 5, error: 0x8001 } as const;
/** Flags of `base:allocation`. */
export const allocation = { data: 0, holeOfZeros: 3 } as const;

const greetingBytes = 18;
export const clientFlagsBytes = 4;
export const optionHeaderBytes = 16;
export const requestBytes = 28;

export function formatGreeting(): Buffer {
  const bytes = Buffer.alloc(greetingBytes);
  bytes.writeBigUInt64BE(initMagic, 0);
  bytes.writeBigUInt64BE(optionMagic, 8);
  bytes.writeUInt16BE(handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes, 16);
  return bytes;
}

export interface OptionHeader {
  readonly option: number;
  readonly dataBytes: number;
}

/** Null when the bytes are no option: nothing behind them can be understood. */
export function parseOptionHeader(bytes: Buffer): OptionHeader | null {
  if (bytes.readBigUInt64BE(0) !== optionMagic) return null;
  return { option: bytes.readUInt32BE(8), dataBytes: bytes.readUInt32BE(12) };
}

export function formatOptionReply(to: number, type: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(20 + data.length);
  bytes.writeBigUInt64BE(optionReplyMagic, 0);
  bytes.writeUInt32BE(to, 8);
  bytes.writeUInt32BE(type, 12);
  bytes.writeUInt32BE(data.length, 16);
  bytes.set(data, 20);
  return bytes;
}

/** Data of NBD_OPT_INFO and NBD_OPT_GO; null when its lengths do not add up. */
export function parseInfoRequest(data: Buffer): { readonly exportName: string } | null {
  if (data.length < 6) return null;
  const nameBytes = data.readUInt32BE(0);
  if (nameBytes > data.length - 6) return null;
  const count = data.readUInt16BE(4 + nameBytes);
  return data.length === 6 + nameBytes + 2 * count
    ? { exportName: data.toString('utf8', 4, 4 + nameBytes) }
    : null;
}

/** Data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT; null when its lengths do not add up. */
export function parseMetaContextRequest(
  data: Buffer,
): { readonly exportName: string; readonly queries: readonly string[] } | null {
  let at = 0;
  const text = (): string | null => {
    if (data.length - at < 4) return null;
    const length = data.readUInt32BE(at);
    if (length > data.length - at - 4) return null;
    at += 4 + length;
    return data.toString('utf8', at - length, at);
  };
  const exportName = text();
  if (exportName === null || data.length - at < 4) return null;
  const count = data.readUInt32BE(at);
  at += 4;
  const queries: string[] = [];
  for (let number = 0; number < count; number++) {
    const query = text();
    if (query === null) return null;
    queries.push(query);
  }
  return at === data.length ? { exportName, queries } : null;
}

/** NBD_INFO_EXPORT. */
export function formatExportInfo(sizeBytes: number, flags: number): Buffer {
  return Buffer.concat([Buffer.from([0, 0]), formatSizeAndFlags(sizeBytes, flags)]);
}

/** NBD_INFO_BLOCK_SIZE: smallest, preferred and largest request, in bytes. */
export function formatBlockSizes(smallest: number, preferred: number, largest: number): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16BE(3, 0);
  bytes.writeUInt32BE(smallest, 2);
  bytes.writeUInt32BE(preferred, 6);
  bytes.writeUInt32BE(largest, 10);
  return bytes;
}

/** What answers NBD_OPT_EXPORT_NAME, before the zeroes that old clients want. */
export function formatSizeAndFlags(sizeBytes: number, flags: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 0);
  bytes.writeUInt16BE(flags, 8);
  return bytes;
}

/** NBD_REP_SERVER: one export and its name. */
export function formatExportName(name: string): Buffer {
  return withLength(Buffer.from(name));
}

export function formatMetaContext(id: number, name: string): Buffer {
  const bytes = Buffer.alloc(4 + Buffer.byteLength(name));
  bytes.writeUInt32BE(id, 0);
  bytes.write(name, 4);
  return bytes;
}

function withLength(data: Buffer): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(data.length, 0);
  return Buffer.concat([bytes, data]);
}

export interface NbdRequest {
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  /** Infinity when it is beyond any disk. */
  readonly offset: number;
  readonly length: number;
}

/** Null when the bytes are no request: nothing behind them can be understood. */
export function parseRequest(bytes: Buffer): NbdRequest | null {
  if (bytes.readUInt32BE(0) !== requestMagic) return null;
  const offset = bytes.readBigUInt64BE(16);
  return {
    flags: bytes.readUInt16BE(4),
    command: bytes.readUInt16BE(6),
    cookie: bytes.readBigUInt64BE(8),
    offset: offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(offset),
    length: bytes.readUInt32BE(24),
  };
}

/** Followed by the bytes that were read, when there is no error. */
export function formatSimpleReply(cookie: bigint, error: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(simpleReplyMagic, 0);
  bytes.writeUInt32BE(error, 4);
  bytes.writeBigUInt64BE(cookie, 8);
  return bytes;
}

/** Head of one chunk of a structured reply; `bytes` of content follow. */
function formatReplyChunk(cookie: bigint, type: number, done: boolean, bytes: number): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32BE(structuredReplyMagic, 0);
  head.writeUInt16BE(done ? 1 : 0, 4);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeUInt32BE(bytes, 16);
  return head;
}

/** Followed by `dataBytes` of data. */
export function formatDataChunk(cookie: bigint, offset: number, dataBytes: number): Buffer {
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(BigInt(offset), 0);
  return Buffer.concat([formatReplyChunk(cookie, replyChunk.data, false, 8 + dataBytes), at]);
}

export function formatHoleChunk(cookie: bigint, offset: number, sizeBytes: number): Buffer {
  const content = Buffer.alloc(12);
  content.writeBigUInt64BE(BigInt(offset), 0);
  content.writeUInt32BE(sizeBytes, 8);
  return Buffer.concat([formatReplyChunk(cookie, replyChunk.hole, false, content.length), content]);
}

/** Ends a structured reply. */
export function formatDoneChunk(cookie: bigint): Buffer {
  return formatReplyChunk(cookie, replyChunk.none, true, 0);
}

export function formatErrorChunk(cookie: bigint, error: number, message: string): Buffer {
  const text = Buffer.from(message).subarray(0, 4096);
  const content = Buffer.alloc(6);
  content.writeUInt32BE(error, 0);
  content.writeUInt16BE(text.length, 4);
  const head = formatReplyChunk(cookie, replyChunk.error, true, content.length + text.length);
  return Buffer.concat([head, content, text]);
}

export function formatBlockStatusChunk(
  cookie: bigint,
  contextId: number,
  extents: readonly { readonly sizeBytes: number; readonly flags: number }[],
): Buffer {
  const content = Buffer.alloc(4 + extents.length * 8);
  content.writeUInt32BE(contextId, 0);
  for (const [number, { sizeBytes, flags }] of extents.entries()) {
    content.writeUInt32BE(sizeBytes, 4 + number * 8);
    content.writeUInt32BE(flags, 8 + number * 8);
  }
  return Buffer.concat([formatReplyChunk(cookie, replyChunk.blockStatus, true, content.length), content]);
}
