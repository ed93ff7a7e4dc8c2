import { type Ipv4Address, unspecifiedAddress } from '../boot/ipv4-address.ts';
import type { Endpoint } from './destination.ts';
import { type MessageType, messageTypes } from './message-type.ts';
import { optionCode } from './option-code.ts';
import { addresses, text, uint8 } from './option-values.ts';
import { broadcastFlag, type DhcpPacket } from './packet.ts';

export type ReplyType = Extract<MessageType, 'OFFER' | 'ACK' | 'NAK'>;

export interface Reply {
  readonly kind: 'reply';
  readonly messageType: ReplyType;
  readonly packet: DhcpPacket;
  readonly to: Endpoint;
  readonly bootFile?: string;
  readonly secondTry?: string;
}

export interface ReplyContent {
  readonly messageType: ReplyType;
  readonly serverIdentifier: Ipv4Address;
  readonly yiaddr?: Ipv4Address;
  readonly siaddr?: Ipv4Address;
  readonly bootFile?: string;
  readonly options?: Iterable<readonly [number, Uint8Array]>;
}

/** What a reply repeats: RFC 6842 (61), RFC 4578 section 2.3 (97), and RFC 3046 (82), which comes last. */
const echoed = [
  optionCode.clientIdentifier,
  optionCode.clientMachineIdentifier,
  optionCode.relayAgentInformation,
];

/** A reply to `request` with the fields of RFC 2131 table 3. */
export function replyPacket(request: DhcpPacket, content: ReplyContent): DhcpPacket {
  const isNak = content.messageType === 'NAK';
  const options = new Map<number, Uint8Array>([
    [optionCode.messageType, uint8(messageTypes[content.messageType])],
    [optionCode.serverIdentifier, addresses(content.serverIdentifier)],
  ]);
  for (const [code, value] of content.options ?? []) options.set(code, value);
  const { bootFile = '' } = content;
  const fitsField = bootFile.length <= 127;
  if (!fitsField) options.set(optionCode.bootFileName, text(bootFile));
  for (const code of echoed) {
    const value = request.options.get(code);
    if (value !== undefined) options.set(code, value);
  }
  const isRelayed = request.giaddr !== unspecifiedAddress;
  return {
    kind: 'packet',
    op: 'reply',
    htype: request.htype,
    hops: 0,
    xid: request.xid,
    secs: 0,
    // RFC 2131 section 4.3.2: the relay must broadcast a NAK, the client's address may be wrong.
    flags: isNak && isRelayed ? request.flags | broadcastFlag : request.flags,
    ciaddr: content.messageType === 'ACK' ? request.ciaddr : unspecifiedAddress,
    yiaddr: content.yiaddr ?? unspecifiedAddress,
    siaddr: content.siaddr ?? unspecifiedAddress,
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    sname: '',
    file: fitsField ? bootFile : '',
    options,
  };
}
