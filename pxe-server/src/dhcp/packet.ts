import { type Ipv4Address, ipv4FromBytes, ipv4ToNumber } from '../boot/ipv4-address.ts';
import { fitOptions, type ReplyLimits } from './fit-options.ts';
import { type Ignored, ignore } from './ignored.ts';
import { optionCode } from './option-code.ts';
import { type DhcpOptions, optionsLength, readOptions, writeOptions } from './options.ts';

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

  const options = new Map<number, Uint8Array>();
  const broken = readOptions(data.subarray(at.options), 'the option field', options);
  if (broken !== undefined) return ignore(broken);
  const overload = readOverload(options);
  if (overload === undefined) return ignore('option 52 is not one byte from 1 to 3');
  // RFC 2131 section 4.1: the option field first, then file, then sname.
  const reason =
    (overload.file ? readOptions(data.subarray(at.file, at.cookie), 'file', options) : undefined) ??
    (overload.sname ? readOptions(data.subarray(at.sname, at.file), 'sname', options) : undefined);
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
    sname: overload.sname ? '' : readField(data, at.sname, at.file),
    file: overload.file ? '' : readField(data, at.file, at.cookie),
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
  const room = {
    options: (limits?.length ?? Number.POSITIVE_INFINITY) - at.options,
    file: packet.file === '' ? at.cookie - at.file : 0,
    sname: packet.sname === '' ? at.file - at.sname : 0,
  };
  const fitted = fitOptions(packet.options, room, limits?.wanted ?? []);
  const length = Math.max(minimumLength, at.options + optionsLength(fitted.options));
  // Not of Node's pool, of which a part that lives for a moment keeps 64 KiB (docs/facts.md).
  const bytes = Buffer.alloc(length);
  bytes[0] = packet.op === 'request' ? 1 : 2;
  bytes[1] = packet.htype;
  bytes[2] = packet.chaddr.length;
  bytes[3] = packet.hops;
  bytes.writeUInt32BE(packet.xid, 4);
  bytes.writeUInt16BE(packet.secs, 8);
  bytes.writeUInt16BE(packet.flags, 10);
  bytes.writeUInt32BE(ipv4ToNumber(packet.ciaddr), at.ciaddr);
  bytes.writeUInt32BE(ipv4ToNumber(packet.yiaddr), at.yiaddr);
  bytes.writeUInt32BE(ipv4ToNumber(packet.siaddr), at.siaddr);
  bytes.writeUInt32BE(ipv4ToNumber(packet.giaddr), at.giaddr);
  bytes.set(packet.chaddr, at.chaddr);
  if (fitted.sname === undefined) writeField(bytes, at.sname, at.file, packet.sname, 'sname');
  else writeOptions(bytes, at.sname, fitted.sname);
  if (fitted.file === undefined) writeField(bytes, at.file, at.cookie, packet.file, 'file');
  else writeOptions(bytes, at.file, fitted.file);
  bytes.writeUInt32BE(magicCookie, at.cookie);
  writeOptions(bytes, at.options, fitted.options);
  return bytes;
}

function readOverload(options: DhcpOptions): { file: boolean; sname: boolean } | undefined {
  const value = options.get(optionCode.overload);
  if (value === undefined) return { file: false, sname: false };
  const which = value[0] ?? 0;
  if (value.length !== 1 || which < 1 || which > 3) return undefined;
  return { file: (which & 1) === 1, sname: (which & 2) === 2 };
}

/** Text up to the first NUL, or to the end of the field. */
function readField(data: Buffer, start: number, end: number): string {
  if (data[start] === 0) return '';
  const zero = data.indexOf(0, start);
  return data.toString('latin1', start, zero === -1 ? end : Math.min(zero, end));
}

function writeField(data: Buffer, start: number, end: number, text: string, name: string): void {
  if (text === '') return;
  if (text.length >= end - start) {
    throw new RangeError(`${name} holds ${end - start - 1} bytes, not ${JSON.stringify(text)}`);
  }
  data.write(text, start, 'latin1');
}
