import { type Ipv4Address, ipv4FromBytes, ipv4ToNumber, unspecifiedAddress } from '../boot/ipv4-address.ts';
import type { DhcpOptions } from './options.ts';

/** Readers return undefined when the option is absent or its length is wrong; they never throw. */

export function readUint8(options: DhcpOptions, code: number): number | undefined {
  const value = options.get(code);
  return value?.length === 1 ? value[0] : undefined;
}

export function readUint16List(options: DhcpOptions, code: number): number[] {
  const value = options.get(code);
  if (value === undefined || value.length % 2 !== 0) return [];
  const numbers: number[] = [];
  for (let i = 0; i < value.length; i += 2) numbers.push(((value[i] ?? 0) << 8) | (value[i + 1] ?? 0));
  return numbers;
}

export function readAddress(options: DhcpOptions, code: number): Ipv4Address | undefined {
  const value = options.get(code);
  return value?.length === 4 ? ipv4FromBytes(value) : undefined;
}

/** Some clients end text with NUL although RFC 2132 forbids it to be counted on. */
export function readText(options: DhcpOptions, code: number): string | undefined {
  const value = options.get(code);
  if (value === undefined) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1').replace(/\0+$/, '');
}

export function uint8(number: number): Uint8Array {
  const bytes = new Uint8Array(1);
  bytes[0] = number;
  return bytes;
}

export function uint32(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(bytes, 0, number);
  return bytes;
}

export function addresses(...list: readonly Ipv4Address[]): Uint8Array {
  const bytes = new Uint8Array(4 * list.length);
  for (let index = 0; index < list.length; index++) {
    writeUint32(bytes, 4 * index, ipv4ToNumber(list[index] ?? unspecifiedAddress));
  }
  return bytes;
}

function writeUint32(bytes: Uint8Array, offset: number, number: number): void {
  bytes[offset] = number >>> 24;
  bytes[offset + 1] = number >>> 16;
  bytes[offset + 2] = number >>> 8;
  bytes[offset + 3] = number;
}

/** Latin-1. Bytes of their own, as everything that is made for each packet here: see packet.ts, `formatPacket`. */
export function text(value: string): Uint8Array {
  const bytes = new Uint8Array(value.length);
  for (let index = 0; index < value.length; index++) bytes[index] = value.charCodeAt(index);
  return bytes;
}
