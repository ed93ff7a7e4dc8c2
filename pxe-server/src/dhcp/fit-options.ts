import { optionCode } from './option-code.ts';
import { readUint16List } from './option-values.ts';
import { type DhcpOptions, encodedLength, optionsLength } from './options.ts';

/** How long a reply may be, and which options its client asked for, most wanted first. */
export interface ReplyLimits {
  /** Bytes of the DHCP message, headers of IP and UDP not counted. */
  readonly length: number;
  readonly wanted: ArrayLike<number>;
}

const ipAndUdpHeaders = 28;
/** Every client takes a datagram of 576 bytes (RFC 2131 section 2). */
const smallest = 576 - ipAndUdpHeaders;
/** A longer one would be cut into fragments on Ethernet, which boot firmware does not put together. */
const largest = 1500 - ipAndUdpHeaders;

/** Options 57 and 55 of the request (RFC 2132 sections 9.10 and 9.8). */
export function replyLimits(request: DhcpOptions): ReplyLimits {
  const [asked] = readUint16List(request, optionCode.maximumMessageSize);
  return {
    length: Math.min(largest, Math.max(smallest, (asked ?? 0) - ipAndUdpHeaders)),
    wanted: request.get(optionCode.parameterRequestList) ?? [],
  };
}

/** Bytes for options in the three fields of a message; a field that carries text has none. */
export interface OptionRoom {
  readonly options: number;
  readonly file: number;
  readonly sname: number;
}

export interface FittedOptions {
  readonly options: DhcpOptions;
  /** Present: option 52 says that the field carries options. */
  readonly file?: DhcpOptions;
  readonly sname?: DhcpOptions;
  /** Nowhere was room for these. */
  readonly dropped: readonly number[];
}

/** Without these the reply is none (RFC 2131 table 3); everything else is a convenience. */
const essential: readonly number[] = [
  optionCode.messageType,
  optionCode.serverIdentifier,
  optionCode.leaseTime,
  optionCode.subnetMask,
  optionCode.router,
  optionCode.vendorClass,
  optionCode.vendorSpecific,
  optionCode.ipxe,
  optionCode.clientMachineIdentifier,
  optionCode.clientIdentifier,
];

const endLength = 1;
const overloadLength = 3;

/**
 * Puts options where they fit: all into the option field when that is large enough, else the important ones there, the
 * next into `file` and `sname` when those are free (option 52, RFC 2132 section 9.3), and the least wanted nowhere.
 * Relay agent information stays in the option field, at its end (RFC 3046 section 2.1).
 */
export function fitOptions(all: DhcpOptions, room: OptionRoom, wanted: ArrayLike<number>): FittedOptions {
  if (optionsLength(all) <= room.options) return { options: all, dropped: [] };

  const rank = ([code]: readonly [number, Uint8Array]) => {
    const [first, second] = [essential.indexOf(code), Array.prototype.indexOf.call(wanted, code)];
    if (first !== -1) return first;
    return second === -1 ? 1000 : essential.length + second;
  };
  const relay = all.get(optionCode.relayAgentInformation);
  const relayLength = relay === undefined ? 0 : encodedLength(relay);
  const fields = {
    options: { left: room.options - endLength - overloadLength - relayLength, placed: new Map() },
    file: { left: room.file - endLength, placed: new Map() },
    sname: { left: room.sname - endLength, placed: new Map() },
  } satisfies Record<string, { left: number; placed: Map<number, Uint8Array> }>;
  const dropped: number[] = [];
  const ordered = [...all]
    .filter(([code]) => code !== optionCode.relayAgentInformation)
    .sort((a, b) => rank(a) - rank(b));
  for (const [code, value] of ordered) {
    const length = encodedLength(value);
    const field = [fields.options, fields.file, fields.sname].find(({ left }) => left >= length);
    if (field === undefined) {
      dropped.push(code);
      continue;
    }
    field.placed.set(code, value);
    field.left -= length;
  }
  const [inFile, inSname] = [fields.file.placed.size > 0, fields.sname.placed.size > 0];
  const overload = (inFile ? 1 : 0) + (inSname ? 2 : 0);
  const options = new Map<number, Uint8Array>(fields.options.placed);
  if (overload > 0) options.set(optionCode.overload, Uint8Array.of(overload));
  if (relay !== undefined) options.set(optionCode.relayAgentInformation, relay);
  return {
    options,
    ...(inFile ? { file: fields.file.placed } : {}),
    ...(inSname ? { sname: fields.sname.placed } : {}),
    dropped,
  };
}
