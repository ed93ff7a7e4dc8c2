import type { BootDecider } from '../boot/boot-decider.ts';
import { unspecifiedAddress } from '../boot/ipv4-address.ts';
import { needsWholeAnswer } from './beside-other-server.ts';
import { classify, type NetbootClient, type PlainClient } from './client.ts';
import { bootServerPort, type Endpoint } from './destination.ts';
import type { DhcpEvent } from './dhcp-event.ts';
import type { EnrolmentPool } from './enrolment-pool.ts';
import { replyLimits } from './fit-options.ts';
import { optionCode } from './option-code.ts';
import { readAddress } from './option-values.ts';
import { type DhcpPacket, formatPacket, parsePacket } from './packet.ts';
import { handleBootServer, handleProxy } from './proxy-handler.ts';
import { handleReservation } from './reservation-handler.ts';
import type { DhcpSettings } from './settings.ts';

export interface DhcpContext {
  readonly settings: DhcpSettings;
  readonly decider: BootDecider;
  readonly pool: EnrolmentPool;
}

/** What came in: the port of ours that it reached, who sent it, and when (milliseconds). */
export interface Arrival {
  readonly port: number;
  readonly from: Endpoint;
  readonly now: number;
}

export interface DatagramAnswer {
  readonly event: DhcpEvent;
  readonly send?: { readonly bytes: Uint8Array; readonly to: Endpoint };
}

/** The whole way of one datagram, without a socket: parse, classify, handle by mode, format. */
export function answerDatagram(bytes: Uint8Array, arrival: Arrival, context: DhcpContext): DatagramAnswer {
  const { port, from } = arrival;
  // UDP allows it, and the boot server would answer there, which no socket can.
  if (from.port === 0) {
    return { event: { event: 'ignored', from, reasons: ['it comes from port 0, where no answer can go'] } };
  }
  const request = parsePacket(bytes);
  if (request.kind === 'ignored') return { event: { event: 'ignored', from, reasons: request.reasons } };
  const client = classify(request);
  if (client.kind === 'ignored') return { event: { event: 'ignored', from, reasons: client.reasons } };

  const machine = {
    mac: client.mac,
    xid: client.xid,
    port,
    request: client.messageType,
    ...(client.kind === 'netboot' ? { firmwareKind: client.firmwareKind } : {}),
    ...(client.kind === 'netboot' && client.networkInterface !== undefined
      ? { networkInterface: client.networkInterface }
      : {}),
    ...(request.giaddr === unspecifiedAddress ? {} : { relay: request.giaddr }),
  };
  if (client.kind === 'unserved') {
    return { event: { event: 'unserved', ...machine, platforms: client.platforms } };
  }
  const outcome = handle(request, client, arrival, context);
  switch (outcome.kind) {
    case 'ignored': {
      const server = readAddress(request.options, optionCode.serverIdentifier);
      const isOther = server !== undefined && server !== context.settings.interfaceAddress;
      const other = isOther ? { otherServer: server } : {};
      return { event: { event: 'ignored', ...machine, from, reasons: outcome.reasons, ...other } };
    }
    case 'released':
    case 'declined':
      return { event: { event: outcome.kind, ...machine, address: outcome.address } };
    case 'reply': {
      const { packet, to, messageType, bootFile, secondTry } = outcome;
      const address = packet.yiaddr === unspecifiedAddress ? {} : { address: packet.yiaddr };
      const file = {
        ...(bootFile === undefined ? {} : { bootFile }),
        ...(secondTry === undefined ? {} : { secondTry }),
      };
      return {
        event: { event: 'replied', ...machine, reply: messageType, to, ...address, ...file },
        send: { bytes: formatPacket(packet, replyLimits(request.options)), to },
      };
    }
  }
}

function handle(
  request: DhcpPacket,
  client: NetbootClient | PlainClient,
  { port, from, now }: Arrival,
  { settings, decider, pool }: DhcpContext,
) {
  if (port === bootServerPort) return handleBootServer(request, client, decider, settings, from);
  if (settings.mode === 'proxy' && !needsWholeAnswer(client, decider)) {
    return handleProxy(request, client, decider, settings);
  }
  return handleReservation(request, client, { decider, settings, pool, now });
}
