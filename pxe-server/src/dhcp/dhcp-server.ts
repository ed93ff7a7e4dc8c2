import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { RekindleError } from '#base/errors.ts';
import type { BootDecider } from '../boot/boot-decider.ts';
import { type Ipv4Address, unspecifiedAddress } from '../boot/ipv4-address.ts';
import { answerDatagram } from './answer-datagram.ts';
import { bootServerPort, serverPort } from './destination.ts';
import type { DhcpEvent } from './dhcp-event.ts';
import { createEnrolmentPool } from './enrolment-pool.ts';
import type { DhcpSettings } from './settings.ts';

export interface DhcpServer {
  close(): Promise<void>;
}

export interface DhcpServerOptions {
  readonly settings: DhcpSettings;
  readonly decider: BootDecider;
  readonly onEvent: (event: DhcpEvent) => void;
}

/**
 * Three sockets. Broadcasts arrive on 0.0.0.0:67; unicast arrives on, and everything leaves by, the socket bound
 * to the interface's own address, because the kernel sends 255.255.255.255 out of the interface that owns the
 * bound address and would otherwise take the default route. The third is the boot server, 4011.
 *
 * Throws `usage` when a port cannot be bound. A datagram that cannot be handled is an event, never an exit.
 */
export async function startDhcpServer({
  settings,
  decider,
  onEvent,
}: DhcpServerOptions): Promise<DhcpServer> {
  const pool = createEnrolmentPool(settings.enrolmentPool);
  const sockets: Socket[] = [];
  const close = async () => {
    await Promise.all(sockets.splice(0).map((socket) => new Promise<void>((done) => socket.close(done))));
  };

  const open = async (address: Ipv4Address, port: number): Promise<Socket> => {
    const socket = await bind(address, port);
    sockets.push(socket);
    socket.on('error', (error) =>
      onEvent({ event: 'failed', doing: `receiving on ${address}:${port}`, error }),
    );
    return socket;
  };
  const answerOn = (socket: Socket, port: number, sender: Socket) => {
    socket.on('message', (bytes, from) => {
      try {
        const arrival = { port, from: endpointOf(from), now: Date.now() };
        const { event, send } = answerDatagram(bytes, arrival, { settings, decider, pool });
        if (send === undefined) return onEvent(event);
        const { address, port: toPort } = send.to;
        sender.send(send.bytes, toPort, address, (error) =>
          onEvent(
            error === null ? event : { event: 'failed', doing: `sending to ${address}:${toPort}`, error },
          ),
        );
      } catch (error) {
        onEvent({ event: 'failed', doing: `answering a datagram from ${from.address}:${from.port}`, error });
      }
    });
  };

  try {
    const own = await open(settings.interfaceAddress, serverPort);
    const all = await open(unspecifiedAddress, serverPort);
    const bootServer = await open(settings.interfaceAddress, bootServerPort);
    own.setBroadcast(true);
    bootServer.setBroadcast(true);
    answerOn(own, serverPort, own);
    answerOn(all, serverPort, own);
    answerOn(bootServer, bootServerPort, bootServer);
  } catch (error) {
    await close();
    throw error;
  }
  onEvent({ event: 'listening', mode: settings.mode, address: settings.interfaceAddress });
  return { close };
}

/** Bytes; the kernel grants what `net.core.rmem_max` allows, twice the default as a rule. */
const receiveBuffer = 1 << 20;

async function bind(address: Ipv4Address, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    socket.bind({ address, port, exclusive: true });
    await once(socket, 'listening');
    // After a power cut all stations ask at once; the kernel's default holds about 90 requests.
    socket.setRecvBufferSize(receiveBuffer);
    return socket;
  } catch (cause) {
    socket.close();
    throw new RekindleError('usage', `The DHCP server cannot use UDP port ${port} of ${address}`, {
      cause,
      next: adviceFor(cause),
    });
  }
}

function adviceFor(cause: unknown): string {
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return 'Stop the other DHCP or PXE service of this computer; `ss -ulpn` names it.';
    case 'EACCES':
      return 'Start the service as root, or grant it CAP_NET_BIND_SERVICE.';
    case 'EADDRNOTAVAIL':
      return 'Configure an address that this computer has; `ip -brief address` lists them.';
    default:
      return 'Check the interface address in the configuration.';
  }
}

function endpointOf({ address, port }: RemoteInfo) {
  return { address: address as Ipv4Address, port };
}
