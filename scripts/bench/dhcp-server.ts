/**
 * DHCP of the service in reservation mode, with registry, journal and leases in a state on disk, as a process in the
 * network namespace of a scenario. Argument: {folder, stations: MAC to address}. Prints {ready}; ends with its input.
 */
import { join } from 'node:path';
import { pino } from 'pino';
import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import { configurationSchema } from '#pxe-server/config/configuration.ts';
import type { DhcpEvent } from '#pxe-server/dhcp/dhcp-event.ts';
import { startDhcpServer } from '#pxe-server/dhcp/dhcp-server.ts';
import { createLeaseStore } from '#pxe-server/dhcp/lease-store.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { recordDhcpEvent } from '#pxe-server/serve/boot-events.ts';
import { countDhcpEvent, createMetrics } from '#pxe-server/serve/metrics.ts';
import { openState } from '#pxe-server/site/state.ts';
import { createRegistryDecider } from '#pxe-server/stations/registry-decider.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';

const { folder, stations }: { folder: string; stations: Record<string, string> } = JSON.parse(
  process.argv[2] ?? '',
);
const state = openState(join(folder, 'state.sqlite'), { create: true });
for (const [number, [mac, address]] of Object.entries(stations).entries()) {
  const passport = somePassport();
  const networkCards = passport.networkCards.slice(0, 1).map((card) => ({ ...card, mac }));
  addStation(state, {
    name: `BENCH-${number}`,
    address,
    by: 'bench',
    passport: { ...passport, networkCards },
  });
}
const configuration = configurationSchema.parse({ interface: 'eth0', dhcp: { mode: 'reservation' } });
const journal = createJournal(state, { keptBoots: 20 });
const metrics = createMetrics();
const log = pino({ level: 'silent' });
await startDhcpServer({
  settings: {
    mode: 'reservation',
    interfaceName: 'eth0',
    interfaceAddress: ipv4('10.77.0.1'),
    netmask: ipv4('255.255.0.0'),
    tftpServer: ipv4('10.77.0.1'),
    httpBaseUrl: 'http://10.77.0.1:8080',
    leaseSeconds: 3600,
  },
  decider: createRegistryDecider(state, configuration),
  leases: createLeaseStore(state),
  onEvent(event: DhcpEvent) {
    countDhcpEvent(metrics, event);
    recordDhcpEvent(journal, log, event);
  },
});
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
process.stdin.resume().once('end', () => process.exit(0));
