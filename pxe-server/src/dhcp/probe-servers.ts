import { randomBytes, randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { broadcastAddress, type Ipv4Address, unspecifiedAddress } from '../boot/ipv4-address.ts';
import type { ServedInterface } from '../site/served-interface.ts';
import { bindToInterface } from './bind-to-interface.ts';
import { clientPort, serverPort } from './destination.ts';
import { messageTypes } from './message-type.ts';
import { optionCode } from './option-code.ts';
import { readAddress, readUint8, text, uint8 } from './option-values.ts';
import { broadcastFlag, type DhcpPacket, ethernetHtype, formatPacket, parsePacket } from './packet.ts';

/** dnsmasq probes a new address for 3 s before it offers it (PING_WAIT of its config.h), others for 1 s. */
const waitMs = 4500;

/** A DHCP server that answered a question of ours. */
export interface FoundServer {
  readonly address: Ipv4Address;
  /** What it offers; absent: a proxyDHCP server. */
  readonly offers?: Ipv4Address;
  /** It says what to boot, which only one server of a network should. */
  readonly bootFile?: string;
}

/**
 * Which DHCP servers answer on an interface: a DISCOVER of a machine that does not exist, asked as PXE firmware asks,
 * so that proxyDHCP servers answer too. Nothing is accepted, so that no lease comes of it. Our own service knows no
 * such machine and is silent; its address is left out in any case.
 * @throws RekindleError `usage` when port 68 cannot be used
 */
export async function probeDhcpServers(
  { name, address }: ServedInterface,
  { milliseconds = waitMs, signal }: { milliseconds?: number; signal?: AbortSignal } = {},
): Promise<FoundServer[]> {
  const discover = discoverOf(Buffer.concat([Uint8Array.of(2), randomBytes(5)]));
  const found = new Map<Ipv4Address, FoundServer>();
  const socket = await bindToInterface(name, clientPort, listen);
  try {
    socket.on('message', (bytes, from) => {
      const server = readOffer(bytes, from, discover.xid);
      if (server !== undefined && server.address !== address) found.set(server.address, server);
    });
    socket.setBroadcast(true);
    const send = () => socket.send(formatPacket(discover), serverPort, broadcastAddress, () => undefined);
    // The first may be lost, or meet a server that is busy with another machine.
    send();
    const again = setTimeout(send, milliseconds / 2);
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal }).finally(() =>
      clearTimeout(again),
    );
    return [...found.values()];
  } finally {
    socket.close();
  }
}

async function listen(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    socket.bind({ address: unspecifiedAddress, port: clientPort, exclusive: true });
    await once(socket, 'listening');
    socket.on('error', () => undefined);
    return socket;
  } catch (cause) {
    socket.close();
    throw new RekindleError('usage', `Asking for DHCP servers: UDP port ${clientPort} cannot be used`, {
      cause,
      next: 'Run it as root, or stop the DHCP client that holds the port: `ss -ulpn` names it.',
    });
  }
}

function discoverOf(mac: Uint8Array): DhcpPacket {
  const uefi: [number, Uint8Array][] = [
    [optionCode.messageType, uint8(messageTypes.DISCOVER)],
    [optionCode.parameterRequestList, Uint8Array.of(1, 3, 6, 43, 54, 60, 66, 67)],
    [optionCode.vendorClass, text('PXEClient:Arch:00007:UNDI:003016')],
    [optionCode.clientArchitecture, Uint8Array.of(0, 7)],
    [optionCode.clientNetworkInterface, Uint8Array.of(1, 3, 16)],
  ];
  return {
    kind: 'packet',
    op: 'request',
    htype: ethernetHtype,
    hops: 0,
    xid: randomInt(2 ** 32),
    secs: 0,
    flags: broadcastFlag,
    ciaddr: unspecifiedAddress,
    yiaddr: unspecifiedAddress,
    siaddr: unspecifiedAddress,
    giaddr: unspecifiedAddress,
    chaddr: mac,
    sname: '',
    file: '',
    options: new Map(uefi),
  };
}

function readOffer(bytes: Uint8Array, from: RemoteInfo, xid: number): FoundServer | undefined {
  const packet = parsePacket(bytes);
  if (packet.kind === 'ignored' || packet.op !== 'reply' || packet.xid !== xid) return undefined;
  if (readUint8(packet.options, optionCode.messageType) !== messageTypes.OFFER) return undefined;
  const address = readAddress(packet.options, optionCode.serverIdentifier) ?? (from.address as Ipv4Address);
  const bootFile = packet.file || textOf(packet.options.get(optionCode.bootFileName));
  return {
    address,
    ...(packet.yiaddr === unspecifiedAddress ? {} : { offers: packet.yiaddr }),
    ...(bootFile === '' ? {} : { bootFile }),
  };
}

function textOf(value: Uint8Array | undefined): string {
  return Buffer.from(value ?? [])
    .toString('latin1')
    .replace(/\0.*$/s, '');
}
