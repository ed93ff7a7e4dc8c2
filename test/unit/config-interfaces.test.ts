import { expect, it } from 'vitest';
import { parseInterfaces } from '#pxe-server/site/served-interface.ts';

it('reads `ip -json -4 address`, also of a bridge without a carrier', () => {
  // As iproute2 6.1 prints it; br0 had no port that was up, and lo no address.
  const text = `[{},{"ifindex":2,"ifname":"br0","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP"],"mtu":1500,
    "qdisc":"noqueue","operstate":"DOWN","group":"default","addr_info":[{"family":"inet","local":"10.77.0.1",
    "prefixlen":24,"scope":"global","label":"br0","valid_life_time":4294967295}]},
    {"ifname":"wg0","addr_info":[{"local":"10.9.0.1","prefixlen":32}]}]`;
  expect(parseInterfaces(text)).toEqual([
    { name: 'br0', address: '10.77.0.1', netmask: '255.255.255.0' },
    { name: 'wg0', address: '10.9.0.1', netmask: '255.255.255.255' },
  ]);
});
