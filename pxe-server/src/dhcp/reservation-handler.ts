import type { BootDecider, StationAddress } from '../boot/boot-decider.ts';
import { type Ipv4Address, isInSubnet, unspecifiedAddress } from '../boot/ipv4-address.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import { addressOptions, leaseOptions } from './address-options.ts';
import { noWholeAnswer } from './beside-other-server.ts';
import { type BootAnswer, bootAnswer, saidOf } from './boot-answer.ts';
import type { NetbootClient, PlainClient } from './client.ts';
import { destinationOf } from './destination.ts';
import type { EnrolmentPool } from './enrolment-pool.ts';
import { type Ignored, ignore } from './ignored.ts';
import { optionCode } from './option-code.ts';
import { readAddress, text } from './option-values.ts';
import type { DhcpPacket } from './packet.ts';
import { type Reply, replyPacket } from './reply.ts';
import type { DhcpSettings } from './settings.ts';

/** A machine gave its address back, or found somebody else using it. Nothing is sent. */
export interface AddressNotice {
  readonly kind: 'released' | 'declined';
  readonly address: Ipv4Address;
}

export interface ReservationContext {
  readonly decider: BootDecider;
  readonly settings: DhcpSettings;
  readonly pool: EnrolmentPool;
  /** Milliseconds. */
  readonly now: number;
}

type Client = NetbootClient | PlainClient;

/** Renewed for as long as the machine runs, and free again soon after: pools are small. */
const enrolmentLeaseSeconds = 600;

/**
 * Reservation mode on port 67: a DHCP server (RFC 2131 section 4.3) for the machines that the decider knows and
 * for nobody else. Netboot clients get their boot file in the same answer; plain clients (the runtime, the
 * restored system) get the address alone. In proxy mode, for machines that need a whole answer
 * (beside-other-server.ts).
 */
export function handleReservation(
  request: DhcpPacket,
  client: Client,
  context: ReservationContext,
): Reply | AddressNotice | Ignored {
  switch (client.messageType) {
    case 'DISCOVER':
      return handleDiscover(request, client, context);
    case 'REQUEST':
      return handleRequest(request, client, context);
    case 'INFORM':
      return handleInform(request, client, context);
    case 'RELEASE':
      return handleRelease(request, client, context);
    case 'DECLINE':
      return handleDecline(request, client, context);
    default:
      return ignore(`${client.messageType} is a server's message`);
  }
}

function handleDiscover(request: DhcpPacket, client: Client, context: ReservationContext): Reply | Ignored {
  const wish = readAddress(request.options, optionCode.requestedAddress);
  const address = addressOf(client.mac, wish, context);
  if (address.kind === 'ignored') {
    return context.settings.mode === 'proxy' ? noWholeAnswer(address) : address;
  }
  const elsewhere = checkNetwork(request, address, context);
  if (elsewhere !== undefined) return elsewhere;
  const boot = bootOf(request, client, context);
  if (boot?.kind === 'ignored') return boot;
  return leaseReply(request, client.mac, 'OFFER', address, boot, context);
}

/** RFC 2131 section 4.3.2: what a REQUEST means follows from which of option 54, option 50 and ciaddr are set. */
function handleRequest(request: DhcpPacket, client: Client, context: ReservationContext): Reply | Ignored {
  const { settings, pool, now } = context;
  const forOther = checkServer(request, 'REQUEST', settings);
  if (forOther !== undefined) return forOther;
  // A client that names no address (against the RFC, seen in small clients) means the one it was offered.
  const wanted = [readAddress(request.options, optionCode.requestedAddress), request.ciaddr].find(
    (candidate) => candidate !== undefined && candidate !== unspecifiedAddress,
  );

  const address = addressOf(client.mac, wanted, context);
  if (address.kind === 'ignored') return address;
  const elsewhere = checkNetwork(request, address, context);
  if (elsewhere !== undefined) return nak(request, elsewhere.reasons.join('; '), settings);
  const boot = bootOf(request, client, context);
  if (boot?.kind === 'ignored') return boot;
  // A machine enrolled a moment ago keeps its pool address until it asks anew.
  const held = pool.held(client.mac, now);
  const granted = wanted !== undefined && held === wanted ? { ...address, ip: wanted } : address;
  if (wanted !== undefined && granted.ip !== wanted) {
    return nak(request, `${wanted} is not the address of ${client.mac}`, settings);
  }
  if (held === granted.ip) pool.confirm(client.mac, held, now + enrolmentLeaseSeconds * 1000);
  return leaseReply(request, client.mac, 'ACK', granted, boot, context);
}

/** REQUEST, DECLINE and RELEASE name the server that they are for (RFC 2131 table 5). */
function checkServer(request: DhcpPacket, message: string, settings: DhcpSettings): Ignored | undefined {
  const server = readAddress(request.options, optionCode.serverIdentifier);
  const isForUs = server === undefined || server === settings.interfaceAddress;
  return isForUs ? undefined : ignore(`the ${message} is for another DHCP server, ${server}`);
}

/** RFC 2131 section 4.3.5: parameters without a lease, to an address that the client says it has. */
function handleInform(request: DhcpPacket, client: Client, context: ReservationContext): Reply | Ignored {
  const { settings } = context;
  const address = addressOf(client.mac, undefined, context);
  if (address.kind === 'ignored') return address;
  if (request.ciaddr !== address.ip) {
    return ignore(`INFORM from ${request.ciaddr}, the station's address is ${address.ip}`);
  }
  const packet = replyPacket(request, {
    messageType: 'ACK',
    serverIdentifier: settings.interfaceAddress,
    options: addressOptions(address, settings),
  });
  return { kind: 'reply', messageType: 'ACK', packet, to: destinationOf(request, false) };
}

function handleRelease(
  request: DhcpPacket,
  { mac }: Client,
  { pool, settings }: ReservationContext,
): AddressNotice | Ignored {
  const forOther = checkServer(request, 'RELEASE', settings);
  if (forOther !== undefined) return forOther;
  if (!pool.release(mac, request.ciaddr))
    return ignore(`RELEASE of ${request.ciaddr}, which is no pool lease`);
  return { kind: 'released', address: request.ciaddr };
}

function handleDecline(
  request: DhcpPacket,
  { mac }: Client,
  { decider, pool, settings, now }: ReservationContext,
): AddressNotice | Ignored {
  const forOther = checkServer(request, 'DECLINE', settings);
  if (forOther !== undefined) return forOther;
  const address = readAddress(request.options, optionCode.requestedAddress);
  if (address === undefined) return ignore('a DECLINE that names no address');
  const rule = decider.addressFor(mac);
  const isOurs = (rule.kind === 'fixed' && rule.ip === address) || pool.decline(mac, address, now);
  return isOurs ? { kind: 'declined', address } : ignore(`DECLINE of ${address}, which is not ours`);
}

/** The station's own address, or a pool address while the window is open or the lease runs. */
function addressOf(
  mac: MacAddress,
  wish: Ipv4Address | undefined,
  { decider, pool, now }: ReservationContext,
): StationAddress | Ignored {
  const rule = decider.addressFor(mac);
  if (rule.kind === 'fixed') return rule;
  const ip = rule.kind === 'enrolment-pool' ? pool.offer(mac, wish, now) : pool.held(mac, now);
  if (ip !== undefined) return { kind: 'fixed', ip };
  return ignore(rule.kind === 'not-for-us' ? rule.reason : 'the enrolment pool has no free address');
}

/**
 * An address of another network is useless where the machine stands: that is the relay's network, or ours when there
 * is no relay (RFC 2131 section 4.3.1). Who renews by unicast says nothing about where it stands.
 */
function checkNetwork(
  request: DhcpPacket,
  { ip, netmask }: StationAddress,
  { settings }: ReservationContext,
): Ignored | undefined {
  const isRelayed = request.giaddr !== unspecifiedAddress;
  if (!isRelayed && request.ciaddr !== unspecifiedAddress) return undefined;
  const at = isRelayed ? request.giaddr : settings.interfaceAddress;
  if (isInSubnet(ip, at, netmask ?? settings.netmask)) return undefined;
  return ignore(
    isRelayed
      ? `its address ${ip} is not in the network of the relay ${at} (see dhcp.networks in rekindle.yaml)`
      : `its address ${ip} is not in the network of ${settings.interfaceName} (${at})`,
  );
}

function bootOf(
  request: DhcpPacket,
  client: Client,
  { decider, settings }: ReservationContext,
): BootAnswer | Ignored | undefined {
  return client.kind === 'netboot'
    ? bootAnswer(request, client, decider, settings, settings.mode === 'proxy' ? 'beside' : 'reservation')
    : undefined;
}

function leaseReply(
  request: DhcpPacket,
  mac: MacAddress,
  messageType: 'OFFER' | 'ACK',
  address: StationAddress,
  boot: BootAnswer | undefined,
  { settings, pool, now }: ReservationContext,
): Reply {
  const isPoolAddress = pool.held(mac, now) === address.ip;
  const packet = replyPacket(request, {
    messageType,
    serverIdentifier: settings.interfaceAddress,
    yiaddr: address.ip,
    ...(boot === undefined ? {} : { siaddr: settings.tftpServer, bootFile: boot.bootFile }),
    options: [
      ...leaseOptions(isPoolAddress ? enrolmentLeaseSeconds : settings.leaseSeconds),
      ...addressOptions(address, settings),
      ...(boot?.options ?? []),
    ],
  });
  const to = destinationOf(request, false);
  return {
    kind: 'reply',
    messageType,
    packet,
    to,
    ...(boot === undefined ? {} : saidOf(boot)),
  };
}

function nak(request: DhcpPacket, reason: string, settings: DhcpSettings): Reply {
  const packet = replyPacket(request, {
    messageType: 'NAK',
    serverIdentifier: settings.interfaceAddress,
    options: [[optionCode.message, text(reason)]],
  });
  return { kind: 'reply', messageType: 'NAK', packet, to: destinationOf(request, true) };
}
