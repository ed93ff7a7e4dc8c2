import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
import { RekindleError } from '#base/errors.ts';
import type { BootDecider } from '../boot/boot-decider.ts';
import { broadcastAddress, type Ipv4Address, unspecifiedAddress } from '../boot/ipv4-address.ts';
import { type ArpProbe, arpScan, createAddressConflicts } from './address-conflicts.ts';
import { answerDatagram, type DatagramAnswer } from './answer-datagram.ts';
import { bindToInterface } from './bind-to-interface.ts';
import { bootServerPort, type Endpoint, serverPort } from './destination.ts';
import type { DhcpEvent } from './dhcp-event.ts';
import { createEnrolmentPool } from './enrolment-pool.ts';
import type { LeaseStore } from './lease-store.ts';
import type { DhcpSettings } from './settings.ts';

export interface DhcpServer {
  /** From the next datagram on; the interface and its address stay what they are. */
  reconfigure(settings: DhcpSettings): void;
  close(): Promise<void>;
}

export interface DhcpServerOptions {
  readonly settings: DhcpSettings;
  readonly decider: BootDecider;
  readonly leases: LeaseStore;
  readonly onEvent: (event: DhcpEvent) => void;
  /** Who else uses an address; replaced in tests. */
  readonly probe?: ArpProbe;
}

/**
 * One interface, four sockets. Broadcasts arrive on 0.0.0.0:67, bound to the interface, so that other networks of this
 * computer are not even heard; unicast (also from relays behind any router) arrives on the interface's own address.
 * Everything leaves from there too, because the kernel sends 255.255.255.255 out of the interface that owns the bound
 * address and would otherwise take the default route. Answers to one address have a socket of their own: they wait in
 * the kernel for the ARP of a relay that may not be there (3 s), and what waits in a socket holds up whatever it sends
 * after that. The last is the boot server, 4011.
 *
 * Throws `usage` when a port cannot be bound. A datagram that cannot be handled is an event, never an exit.
 */
export async function startDhcpServer(options: DhcpServerOptions): Promise<DhcpServer> {
  const { decider, leases, onEvent } = options;
  let { settings } = options;
  let pool = createEnrolmentPool(settings.enrolmentPool, leases);
  const doing = `asking who uses an address on ${settings.interfaceName}`;
  const conflicts = createAddressConflicts(options.probe ?? arpScan(settings.interfaceName), (error) =>
    onEvent({ event: 'failed', doing, error }),
  );
  const sockets: Socket[] = [];
  const close = async () => {
    await Promise.all(sockets.splice(0).map((socket) => new Promise<void>((done) => socket.close(done))));
  };

  const open = async (address: Ipv4Address, port: number): Promise<Socket> => {
    const bound = () => bind(address, port);
    const socket = await (address === unspecifiedAddress
      ? bindToInterface(settings.interfaceName, port, bound)
      : bound());
    sockets.push(socket);
    socket.on('error', (error) =>
      onEvent({ event: 'failed', doing: `receiving on ${address}:${port}`, error }),
    );
    return socket;
  };
  /** An answer whose address nobody else uses; a pool address that somebody uses is replaced by the next one. */
  const answerOf = async (bytes: Uint8Array, port: number, from: Endpoint): Promise<DatagramAnswer> => {
    for (;;) {
      const answer = answerDatagram(bytes, { port, from, now: Date.now() }, { settings, decider, pool });
      const { event } = answer;
      if (event.event === 'declined') conflicts.forget(event.address);
      const isOffer = event.event === 'replied' && event.reply === 'OFFER';
      // Behind a relay nobody hears our ARP.
      if (!isOffer || event.address === undefined || event.relay !== undefined) return answer;
      const { address, mac } = event;
      const user = await conflicts.userOf(address, mac);
      if (user === undefined) return answer;
      const { reply, to, bootFile, secondTry, ...machine } = event;
      const conflict = { ...machine, event: 'conflict', address, user } as const;
      if (!pool.decline(mac, address, Date.now())) return { event: conflict };
      onEvent(conflict);
    }
  };
  const handle = async (bytes: Uint8Array, port: number, from: Endpoint, senders: Senders) => {
    const { event, send } = await answerOf(bytes, port, from);
    const sender = send?.to.address === broadcastAddress ? senders.toAll : senders.toOne;
    // The service may have been closed during a probe.
    if (!sockets.includes(sender)) return;
    if (send === undefined) return onEvent(event);
    if (sender.getSendQueueCount() >= waitingMost && event.event === 'replied') {
      const { reply, to, address: _given, bootFile, secondTry, ...machine } = event;
      const reasons = [`too many answers wait for machines that are not there, the last for ${to.address}`];
      return onEvent({ ...machine, event: 'ignored', from, reasons });
    }
    const { address, port: toPort } = send.to;
    sender.send(send.bytes, toPort, address, (error) =>
      onEvent(error === null ? event : { event: 'failed', doing: `sending to ${address}:${toPort}`, error }),
    );
  };
  const answerOn = (socket: Socket, port: number, senders: Senders) => {
    socket.on('message', (bytes, from) => {
      handle(bytes, port, endpointOf(from), senders).catch((error: unknown) => {
        onEvent({
          event: 'failed',
          doing: `answering a datagram from ${from.address}:${from.port}`,
          error,
        });
      });
    });
  };

  try {
    const toAll = await open(settings.interfaceAddress, serverPort);
    const toOne = await open(settings.interfaceAddress, serverPort);
    const all = await open(unspecifiedAddress, serverPort);
    const bootServer = await open(settings.interfaceAddress, bootServerPort);
    toAll.setBroadcast(true);
    bootServer.setBroadcast(true);
    // The kernel gives what is sent to our address to one of the two.
    for (const socket of [toAll, toOne, all]) answerOn(socket, serverPort, { toAll, toOne });
    answerOn(bootServer, bootServerPort, { toAll: bootServer, toOne: bootServer });
  } catch (error) {
    await close();
    throw error;
  }
  const { mode, interfaceName, interfaceAddress } = settings;
  onEvent({ event: 'listening', mode, interfaceName, address: interfaceAddress });
  return {
    reconfigure(next) {
      settings = next;
      pool = createEnrolmentPool(next.enrolmentPool, leases);
    },
    close,
  };
}

/** Where answers to everybody and to one address leave. */
interface Senders {
  readonly toAll: Socket;
  readonly toOne: Socket;
}

/** Answers of one socket that the kernel has no room for; who gets none asks again. */
const waitingMost = 64;

/** Destinations are addresses already; without this, Node puts a turn of the event loop before each answer. */
const sameAddress: NonNullable<SocketOptions['lookup']> = (address, _options, callback) =>
  callback(null, address, 4);

/** Bytes; the kernel grants what `net.core.rmem_max` allows, twice the default as a rule. */
const receiveBuffer = 1 << 20;

async function bind(address: Ipv4Address, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true, lookup: sameAddress });
  try {
    // Without a lookup that waits, it listens before `bind` returns.
    const listening = once(socket, 'listening');
    socket.bind({ address, port, exclusive: true });
    await listening;
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
