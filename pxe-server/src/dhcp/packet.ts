import { type Ipv4Address, ipv4FromBytes, ipv4ToBytes } from '../boot/ipv4-address.ts';
import { fitOptions, type ReplyLimits } from './fit-options.ts';
import { type Ignored, ignore } from './ignored.ts';
import { optionCode } from './option-code.ts';
import { type DhcpOptions, formatOptions, readOptions } from './options.ts';

/** A DHCP message, RFC 2131 section 2. Numbers are unsigned, addresses text, options the bytes on the wire. */
export interface DhcpPacket {
  readonly kind: 'packet';
  readonly op: 'request' | 'reply';
  readonly htype: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: Ipv4Address;
  readonly yiaddr: Ipv4Address;
  readonly siaddr: Ipv4Address;
  readonly giaddr: Ipv4Address;
  /** `hlen` bytes. */
  readonly chaddr: Uint8Array;
  /** Empty when the field carries options (option 52). */
  readonly sname: string;
  readonly file: string;
  readonly options: DhcpOptions;
}

export const ethernetHtype = 1;
export const broadcastFlag = 0x8000;

const magicCookie = 0x63825363;
const at = {
  ciaddr: 12,
  yiaddr: 16,
  siaddr: 20,
  giaddr: 24,
  chaddr: 28,
  sname: 44,
  file: 108,
  cookie: 236,
  options: 240,
};
/** BOOTP relays and old ROMs drop anything shorter (RFC 1542 section 2.1). */
const minimumLength = 300;

/** Never throws: every way a datagram can be wrong is a reason. */
export function parsePacket(bytes: Uint8Array): DhcpPacket | Ignored {
  if (bytes.length < at.options) return ignore(`${bytes.length} bytes are too short for a DHCP message`);
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reasons: string[] = [];
  if (data.readUInt32BE(at.cookie) !== magicCookie) reasons.push('the magic cookie is missing');
  const op = data[0];
  if (op !== 1 && op !== 2) reasons.push(`op ${op} is neither request nor reply`);
  const hlen = data[2] ?? 0;
  if (hlen > 16) reasons.push(`a hardware address of ${hlen} bytes does not fit into chaddr`);
  if (reasons.length > 0) return ignore(...reasons);

  const sname = data.subarray(at.sname, at.file);
  const file = data.subarray(at.file, at.cookie);
  const options = new Map<number, Uint8Array>();
  const broken = readOptions(data.subarray(at.options), 'the option field', options);
  if (broken !== undefined) return ignore(broken);
  const overload = readOverload(options);
  if (overload === undefined) return ignore('option 52 is not one byte from 1 to 3');
  // RFC 2131 section 4.1: the option field first, then file, then sname.
  const reason =
    (overload.file ? readOptions(file, 'file', options) : undefined) ??
    (overload.sname ? readOptions(sname, 'sname', options) : undefined);
  if (reason !== undefined) return ignore(reason);
  options.delete(optionCode.overload);

  return {
    kind: 'packet',
    op: op === 1 ? 'request' : 'reply',
    htype: data[1] ?? 0,
    hops: data[3] ?? 0,
    xid: data.readUInt32BE(4),
    secs: data.readUInt16BE(8),
    flags: data.readUInt16BE(10),
    ciaddr: ipv4FromBytes(data, at.ciaddr),
    yiaddr: ipv4FromBytes(data, at.yiaddr),
    siaddr: ipv4FromBytes(data, at.siaddr),
    giaddr: ipv4FromBytes(data, at.giaddr),
    chaddr: data.subarray(at.chaddr, at.chaddr + hlen),
    sname: overload.sname ? '' : zeroTerminated(sname),
    file: overload.file ? '' : zeroTerminated(file),
    options,
  };
}

/**
 * Within `limits` all options fit as a rule; what does not goes into `file` and `sname` when those are empty, and
 * the least wanted is left out.
 *
 * Throws a RangeError when `file` or `sname` do not fit (127 and 63 bytes); callers keep longer boot file
 * names in option 67.
 */
export function formatPacket(packet: DhcpPacket, limits?: ReplyLimits): Buffer {
  const head = Buffer.alloc(at.options);
  head[0] = packet.op === 'request' ? 1 : 2;
  head[1] = packet.htype;
  head[2] = packet.chaddr.length;
  head[3] = packet.hops;
  head.writeUInt32BE(packet.xid, 4);
  head.writeUInt16BE(packet.secs, 8);
  head.writeUInt16BE(packet.flags, 10);
  for (const field of ['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const) {
    head.set(ipv4ToBytes(packet[field]), at[field]);
  }
  head.set(packet.chaddr, at.chaddr);
  writeText(head.subarray(at.sname, at.file), packet.sname, 'sname');
  writeText(head.subarray(at.file, at.cookie), packet.file, 'file');
  head.writeUInt32BE(magicCookie, at.cookie);
  const room = {
    options: (limits?.length ?? Number.POSITIVE_INFINITY) - at.options,
    file: packet.file === '' ? at.cookie - at.file : 0,
    sname: packet.sname === '' ? at.file - at.sname : 0,
  };
  const fitted = fitOptions(packet.options, room, limits?.wanted ?? []);
  if (fitted.file !== undefined) head.set(formatOptions(fitted.file), at.file);
  if (fitted.sname !== undefined) head.set(formatOptions(fitted.sname), at.sname);
  const options = formatOptions(fitted.options);
  return Buffer.concat([head, options], Math.max(minimumLength, head.length + options.length));
}

function readOverload(options: DhcpOptions): { file: boolean; sname: boolean } | undefined {
  const value = options.get(optionCode.overload);
  if (value === undefined) return { file: false, sname: false };
  const which = value[0] ?? 0;
  if (value.length !== 1 || which < 1 || which > 3) return undefined;
  return { file: (which & 1) === 1, sname: (which & 2) === 2 };
}

function zeroTerminated(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? field.length : end);
}

function writeText(field: Buffer, text: string, name: string): void {
  if (Buffer.byteLength(text, 'latin1') >= field.length) {
    throw new RangeError(`${name} holds ${field.length - 1} bytes, not ${JSON.stringify(text)}`);
  }
  field.write(text, 'latin1');
}
