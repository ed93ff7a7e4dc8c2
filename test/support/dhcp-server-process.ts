/**
 * A DHCP server as a process, because a test cannot move itself into a network namespace. Argument: settings and
 * stations as JSON; prints every event as a JSON line; ends when its standard input does.
 */
import type { BootDecider } from '#pxe-server/boot/boot-decider.ts';
import type { Ipv4Address } from '#pxe-server/boot/ipv4-address.ts';
import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import { startDhcpServer } from '#pxe-server/dhcp/dhcp-server.ts';
import { createLeaseStore } from '#pxe-server/dhcp/lease-store.ts';
import type { DhcpSettings } from '#pxe-server/dhcp/settings.ts';
import { openState } from '#pxe-server/site/state.ts';

export interface DhcpServerArgument {
  readonly settings: DhcpSettings;
  /** MAC address to fixed address. */
  readonly stations: Readonly<Record<string, string>>;
  readonly enrolmentOpen?: boolean;
  /** File of the state that keeps the leases; absent: in memory. */
  readonly state?: string;
  /** Netmask of the stations' addresses, where it is not the interface's. */
  readonly netmask?: string;
  /** The registry fails for this machine. */
  readonly failsFor?: string;
}

const argument: DhcpServerArgument = JSON.parse(process.argv[2] ?? '');
const { settings, stations, enrolmentOpen = false, failsFor, state = ':memory:', netmask } = argument;
const unknown = { kind: 'not-for-us', reason: 'unknown machine' } as const;

const decider: BootDecider = {
  targetFor({ mac }) {
    if (mac === failsFor) throw new Error('the registry cannot be read');
    if (mac in stations) return { kind: 'runtime', purpose: 'recovery' };
    return enrolmentOpen ? { kind: 'runtime', purpose: 'enrolment' } : unknown;
  },
  addressFor(mac: MacAddress) {
    const ip = stations[mac];
    if (ip !== undefined) {
      const mask = netmask === undefined ? {} : { netmask: netmask as Ipv4Address };
      return { kind: 'fixed', ip: ip as Ipv4Address, hostName: 'os-srv-1a', ...mask };
    }
    return enrolmentOpen ? { kind: 'enrolment-pool' } : unknown;
  },
};

const server = await startDhcpServer({
  settings,
  decider,
  leases: createLeaseStore(openState(state, { create: true })),
  onEvent: (event) => {
    const failure = event.event === 'failed' ? { error: String(event.error) } : {};
    process.stdout.write(`${JSON.stringify({ ...event, ...failure })}\n`);
  },
});
process.stdin.resume().once('end', () => void server.close());
