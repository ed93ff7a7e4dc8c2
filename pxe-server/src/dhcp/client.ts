import type { FirmwareKind } from '../boot/firmware-kind.ts';
import { formatMacAddress, type MacAddress } from '../boot/mac-address.ts';
import { architectureOf } from './firmware-quirks.ts';
import { type Ignored, ignore } from './ignored.ts';
import { type MessageType, messageTypeOf } from './message-type.ts';
import { optionCode } from './option-code.ts';
import { readText, readUint8, readUint16List } from './option-values.ts';
import { type DhcpPacket, ethernetHtype } from './packet.ts';

interface Client {
  readonly mac: MacAddress;
  readonly xid: number;
  readonly messageType: MessageType;
}

/** Firmware or iPXE that looks for something to boot. */
export interface NetbootClient extends Client {
  readonly kind: 'netboot';
  readonly firmwareKind: FirmwareKind;
  /** Option 97, as Linux prints `product_uuid`; absent when not sent or not set by the manufacturer. */
  readonly uuid?: string;
  /** Option 93, the value that decided `firmwareKind`. */
  readonly architecture: number;
  /** Option 60, without what follows the first colon: `PXEClient` or `HTTPClient`. */
  readonly vendorClass: 'PXEClient' | 'HTTPClient';
  /** Option 77. */
  readonly userClass?: string;
  /** Option 94: the version of the firmware's network driver interface, `UNDI 3.16`. */
  readonly networkInterface?: string;
}

/** A DHCP client that only wants an address: the runtime's udhcpc, or the restored system. */
export interface PlainClient extends Client {
  readonly kind: 'plain';
}

/** Firmware that looks for something to boot, and there is no loader for it. */
export interface UnservedClient extends Client {
  readonly kind: 'unserved';
  /** What it says it is, `ARM 64 UEFI`; empty: it does not say. */
  readonly platforms: readonly string[];
}

/** Everything that is derived from a request is derived here, once; all reasons against it are collected. */
export function classify(packet: DhcpPacket): NetbootClient | PlainClient | UnservedClient | Ignored {
  const reasons: string[] = [];
  if (packet.op !== 'request') reasons.push('it is a reply of another server');
  const mac = packet.htype === ethernetHtype ? formatMacAddress(packet.chaddr) : undefined;
  if (mac === undefined) {
    reasons.push(`no unicast Ethernet address (htype ${packet.htype}, hlen ${packet.chaddr.length})`);
  }
  const type = readUint8(packet.options, optionCode.messageType);
  const messageType = type === undefined ? undefined : messageTypeOf(type);
  if (type === undefined) reasons.push('no message type (option 53): plain BOOTP');
  else if (messageType === undefined) reasons.push(`unknown message type ${type}`);
  if (mac === undefined || messageType === undefined || reasons.length > 0) return ignore(...reasons);

  const client = { mac, xid: packet.xid, messageType };
  const vendorClass = readText(packet.options, optionCode.vendorClass) ?? '';
  const netbootClass = /^(PXEClient|HTTPClient)(:|$)/.exec(vendorClass)?.[1];
  if (netbootClass === undefined) return { kind: 'plain', ...client };

  const architectures = readArchitectures(packet, vendorClass);
  const architecture = architectures.find((number) => architectureOf(number)?.firmwareKind !== undefined);
  const firmwareKind = architecture === undefined ? undefined : architectureOf(architecture)?.firmwareKind;
  if (architecture === undefined || firmwareKind === undefined) {
    const platforms = architectures.map(
      (number) => architectureOf(number)?.name ?? `unknown architecture ${number}`,
    );
    return { kind: 'unserved', ...client, platforms };
  }
  const userClass = readUserClass(packet);
  const uuid = readUuid(packet);
  const networkInterface = readNetworkInterface(packet);
  return {
    kind: 'netboot',
    ...client,
    firmwareKind: isIpxeRequest(packet, userClass) ? ipxeKinds[firmwareKind] : firmwareKind,
    architecture,
    vendorClass: netbootClass as NetbootClient['vendorClass'],
    ...(userClass === undefined ? {} : { userClass }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(networkInterface === undefined ? {} : { networkInterface }),
  };
}

const ipxeKinds = { bios: 'ipxe-bios', 'uefi-x64': 'ipxe-uefi', 'uefi-http-x64': 'ipxe-uefi' } as const;

/** Option 175 is iPXE's own; the user class alone can be changed by an embedded script. */
function isIpxeRequest(packet: DhcpPacket, userClass: string | undefined): boolean {
  return userClass === 'iPXE' || packet.options.has(optionCode.ipxe);
}

/** Option 93, or else the `Arch:00007` inside option 60, which says the same. */
function readArchitectures(packet: DhcpPacket, vendorClass: string): number[] {
  const numbers = readUint16List(packet.options, optionCode.clientArchitecture);
  if (numbers.length > 0) return numbers;
  const inClass = /:Arch:(\d{5})(:|$)/.exec(vendorClass)?.[1];
  return inClass === undefined ? [] : [Number(inClass)];
}

/** RFC 4578 section 2.2: type 1 is UNDI, then major and minor version. */
function readNetworkInterface(packet: DhcpPacket): string | undefined {
  const value = packet.options.get(optionCode.clientNetworkInterface);
  return value?.length === 3 && value[0] === 1 ? `UNDI ${value[1]}.${value[2]}` : undefined;
}

/** RFC 3004 wants length-prefixed classes; iPXE and most others send bare text. */
function readUserClass(packet: DhcpPacket): string | undefined {
  const value = readText(packet.options, optionCode.userClass);
  const isPrefixed = value !== undefined && value.length > 1 && value.charCodeAt(0) === value.length - 1;
  return isPrefixed ? value.slice(1) : value;
}

/** RFC 4578 section 2.3. The first three fields are little-endian, as SMBIOS 2.6 stores them. */
function readUuid(packet: DhcpPacket): string | undefined {
  const value = packet.options.get(optionCode.clientMachineIdentifier);
  if (value?.length !== 17 || value[0] !== 0) return undefined;
  const bytes = Buffer.alloc(16);
  bytes.set(value.subarray(1));
  if (bytes.every((byte) => byte === 0) || bytes.every((byte) => byte === 255)) return undefined;
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
