import type { BootDecider } from '../boot/boot-decider.ts';
import { bootAnswer, saidOf } from './boot-answer.ts';
import type { NetbootClient, PlainClient } from './client.ts';
import { bootServerDestination, destinationOf, type Endpoint } from './destination.ts';
import { type Ignored, ignore } from './ignored.ts';
import { optionCode } from './option-code.ts';
import { readAddress } from './option-values.ts';
import type { DhcpPacket } from './packet.ts';
import { type Reply, type ReplyType, replyPacket } from './reply.ts';
import type { DhcpSettings } from './settings.ts';

/**
 * Proxy mode on port 67 (PXE 2.1 section 2.2): offers with boot information and no address, beside the offers
 * of the server that owns the network's addresses. A REQUEST belongs to that other server, except from firmware
 * that names us.
 */
export function handleProxy(
  request: DhcpPacket,
  client: NetbootClient | PlainClient,
  decider: BootDecider,
  settings: DhcpSettings,
): Reply | Ignored {
  if (client.kind === 'plain') return ignore('not a netboot client; addresses come from another DHCP server');
  switch (client.messageType) {
    case 'DISCOVER':
      return bootReply(request, client, decider, settings, 'OFFER', destinationOf(request, false));
    case 'REQUEST': {
      const server = readAddress(request.options, optionCode.serverIdentifier);
      if (server !== settings.interfaceAddress) {
        return ignore(`the REQUEST is for the address server ${server ?? '(not named)'}`);
      }
      return bootReply(request, client, decider, settings, 'ACK', destinationOf(request, false));
    }
    default:
      return ignore(`${client.messageType} has no meaning for a proxyDHCP server`);
  }
}

/**
 * The boot server on port 4011, in both modes. UEFI always comes here when an offer said PXEClient without
 * option 43, and stalls for more than a minute when nobody answers.
 */
export function handleBootServer(
  request: DhcpPacket,
  client: NetbootClient | PlainClient,
  decider: BootDecider,
  settings: DhcpSettings,
  source: Endpoint,
): Reply | Ignored {
  if (client.kind === 'plain') return ignore('not a netboot client on port 4011');
  const { messageType } = client;
  if (messageType !== 'REQUEST' && messageType !== 'INFORM' && messageType !== 'DISCOVER') {
    return ignore(`${messageType} has no meaning for a boot server`);
  }
  const server = readAddress(request.options, optionCode.serverIdentifier);
  if (server !== undefined && server !== settings.interfaceAddress) {
    return ignore(`the request is for the boot server ${server}`);
  }
  const answerType = messageType === 'DISCOVER' ? 'OFFER' : 'ACK';
  const to = bootServerDestination(request, source);
  return bootReply(request, client, decider, settings, answerType, to);
}

function bootReply(
  request: DhcpPacket,
  client: NetbootClient,
  decider: BootDecider,
  settings: DhcpSettings,
  messageType: ReplyType,
  to: Endpoint,
): Reply | Ignored {
  const answer = bootAnswer(request, client, decider, settings, 'proxy');
  if (answer.kind === 'ignored') return answer;
  const packet = replyPacket(request, {
    messageType,
    serverIdentifier: settings.interfaceAddress,
    siaddr: settings.tftpServer,
    bootFile: answer.bootFile,
    options: answer.options,
  });
  return { kind: 'reply', messageType, packet, to, ...saidOf(answer) };
}
