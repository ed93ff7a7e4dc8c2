import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork, type NetworkNamespace } from '#test/support/network-namespace.ts';
import { median, pairedRatio } from '../measure.ts';
import type { Row, Scenario } from '../scenario.ts';

const known = 500;
const stations = Object.fromEntries(
  Array.from({ length: known }, (_, number) => [
    `52:54:01:00:${hex(number >> 8)}:${hex(number)}`,
    `10.77.${1 + (number >> 8)}.${number & 255}`,
  ]),
);

export const dhcpScenario: Scenario = {
  name: 'dhcp',
  title: `DHCP: exchanges of four messages a second, ${known} stations with fixed addresses, 32 at once`,
  async run(lab) {
    const seconds = lab.quick ? 2 : 5;
    const rates = { ours: [] as number[], dnsmasq: [] as number[] };
    for (let round = 0; round < lab.rounds; round++) {
      for (const name of ['ours', 'dnsmasq'] as const) {
        const folder = lab.file(`dhcp-${name}-${round}`);
        fs.mkdirSync(folder);
        rates[name].push(await measure(name, folder, seconds));
        fs.rmSync(folder, { recursive: true });
      }
    }
    const [ours, theirs] = [median(rates.ours), median(rates.dnsmasq)];
    const row: Row = {
      what: 'exchanges a second',
      ours,
      peer: { name: 'dnsmasq', value: theirs },
      unit: '/s',
      ratio: pairedRatio(rates.ours, rates.dnsmasq),
      goal: { sentence: 'at least as many as dnsmasq', kind: 'at least', value: 1, of: 'ratio' },
    };
    return { rows: [row] };
  },
};

async function measure(name: 'ours' | 'dnsmasq', folder: string, seconds: number): Promise<number> {
  await using lan = await createNetwork({
    server: { address: '10.77.0.1/16' },
    relay: { address: '10.77.0.9/16' },
  });
  const { server, relay } = lan.members;
  const script = (file: string) => new URL(`../${file}`, import.meta.url);
  if (name === 'ours') {
    const argument = { folder, stations };
    await startJsonLines(server, script('dhcp-server.ts'), argument).waitFor(() => true, 60);
  } else startDnsmasq(server, folder);
  const macs = Object.keys(stations);
  const load = startJsonLines<{ exchanges: number; wrong: number }>(relay, script('dhcp-load.ts'), {
    macs,
    seconds,
  });
  const { exchanges, wrong } = await load.waitFor(() => true, seconds + 30);
  if (wrong > 0 || exchanges === 0) {
    const what = `${name} refused ${wrong} requests and made ${exchanges} exchanges a second`;
    throw new RekindleError('unexpected', `Measuring DHCP: ${what}`);
  }
  return exchanges;
}

function startDnsmasq(server: NetworkNamespace, folder: string): void {
  const hosts = path.join(folder, 'hosts');
  const lines = Object.entries(stations).map(([mac, address]) => `${mac},${address}`);
  fs.writeFileSync(hosts, `${lines.join('\n')}\n`);
  server.spawn('dnsmasq', [
    ...[
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--port=0',
      '--user=root',
      '--no-ping',
      '--quiet-dhcp',
    ],
    ...[
      '--dhcp-range=10.77.0.0,static,255.255.0.0,1h',
      '--dhcp-authoritative',
      `--dhcp-lease-max=${2 * known}`,
    ],
    ...[`--dhcp-hostsfile=${hosts}`, `--dhcp-leasefile=${path.join(folder, 'leases')}`, '--interface=eth0'],
  ]);
}

function hex(number: number): string {
  return (number & 255).toString(16).padStart(2, '0');
}
