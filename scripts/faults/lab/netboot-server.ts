/**
 * DHCP and TFTP on 10.77.0.1 of the namespace it runs in, as a process that a campaign may crash. Argument: {mode}.
 * Prints every 10 ms how many datagrams the kernel delivered to it and dropped, its memory, and what it could not do.
 */
import { readFileSync } from 'node:fs';
import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import { startDhcpServer } from '#pxe-server/dhcp/dhcp-server.ts';
import { createLeaseStore } from '#pxe-server/dhcp/lease-store.ts';
import { openState } from '#pxe-server/site/state.ts';
import { startTftpServer } from '#pxe-server/tftp/tftp-server.ts';

export interface NetbootServerLine {
  readonly delivered: number;
  readonly dropped: number;
  /** Came for a port of a transfer that had ended. */
  readonly late: number;
  readonly rssBytes: number;
  readonly failed: number;
  readonly reasons: readonly string[];
}

const { mode, file } = JSON.parse(process.argv[2] ?? '') as { mode: 'proxy' | 'reservation'; file: string };
let failed = 0;
const reasons: string[] = [];
const onEvent = (event: { event: string; error?: unknown }) => {
  if (event.event !== 'failed') return;
  failed++;
  if (reasons.length < 3) reasons.push(String(event.error));
};
await startTftpServer({
  address: '10.77.0.1',
  port: 69,
  files: new Map([['loader', { bytes: readFileSync(file) }]]),
  onEvent,
});
await startDhcpServer({
  settings: {
    mode,
    interfaceName: 'eth0',
    interfaceAddress: ipv4('10.77.0.1'),
    netmask: ipv4('255.255.0.0'),
    tftpServer: ipv4('10.77.0.1'),
    httpBaseUrl: 'http://10.77.0.1:8080',
    leaseSeconds: 600,
    enrolmentPool: { first: ipv4('10.77.0.100'), last: ipv4('10.77.0.249') },
  },
  // Everybody is known to the pool, so that nearly every datagram is answered; the hundred stations that come after
  // the flood, which has used the pool up, have addresses of their own.
  decider: {
    targetFor: () => ({ kind: 'menu' }),
    addressFor: (mac) => {
      const number = /^52:54:01:00:00:(..)$/.exec(mac)?.[1];
      if (number === undefined) return { kind: 'enrolment-pool' };
      return { kind: 'fixed', ip: ipv4(`10.77.1.${Number.parseInt(number, 16) + 1}`) };
    },
  },
  leases: createLeaseStore(openState(':memory:')),
  onEvent,
});

const start = udpCounters();
setInterval(() => {
  const now = udpCounters();
  const line: NetbootServerLine = {
    delivered: now.delivered - start.delivered,
    dropped: now.dropped - start.dropped,
    late: now.late - start.late,
    rssBytes: process.memoryUsage.rss(),
    failed,
    reasons,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}, 10);
process.stdin.resume().once('end', () => process.exit(0));

/** Of this namespace: datagrams that a socket was given, and those for which no buffer was left. */
function udpCounters(): { delivered: number; dropped: number; late: number } {
  const [names = '', values = ''] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'));
  const columns = names.split(' ');
  const value = (name: string) => Number(values.split(' ')[columns.indexOf(name)]);
  return { delivered: value('InDatagrams'), dropped: value('RcvbufErrors'), late: value('NoPorts') };
}
