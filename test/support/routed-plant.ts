import { createNetwork, type Network } from './network-namespace.ts';

/** 10.77.0.0/24 with the server, 10.88.0.0/24 with the station; `router` forwards between them. */
export type RoutedPlant = Network<'server' | 'router' | 'station'>;

export async function createRoutedPlant(stationMac: string): Promise<RoutedPlant> {
  const plant = await createNetwork({
    server: { address: '10.77.0.1/24' },
    router: { address: '10.77.0.254/24' },
    station: { address: '10.88.0.9/24', mac: stationMac },
  });
  const { router, server, station, bridge } = plant.members;
  const must = async (member: typeof router, ...args: string[]) => {
    const { code, stderr } = await member.run(args[0] ?? '', args.slice(1));
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  };
  // The station leaves the bridge and gets a cable of its own to the router.
  await must(bridge, 'ip', 'link', 'set', 'port2', 'nomaster');
  await must(bridge, 'ip', 'link', 'add', 'br1', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
  await must(bridge, 'ip', 'link', 'set', 'br1', 'up');
  await must(bridge, 'ip', 'link', 'set', 'port2', 'master', 'br1');
  const cable = ['type', 'veth', 'peer', 'name', 'eth1', 'netns', router.name];
  await must(bridge, 'ip', 'link', 'add', 'port9', ...cable);
  await must(bridge, 'ip', 'link', 'set', 'port9', 'master', 'br1', 'up');
  await must(router, 'ip', 'link', 'set', 'eth1', 'up');
  await must(router, 'ip', 'address', 'add', '10.88.0.1/24', 'dev', 'eth1');
  await must(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await must(server, 'ip', 'route', 'add', '10.88.0.0/24', 'via', '10.77.0.254');
  await must(station, 'ip', 'route', 'replace', 'default', 'via', '10.88.0.1');
  return plant;
}
