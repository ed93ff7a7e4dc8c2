/** Asks for DHCP servers on eth0 of the namespace it runs in (10.77.0.1) and prints them as one JSON line. */
import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import { probeDhcpServers } from '#pxe-server/dhcp/probe-servers.ts';

const served = { name: 'eth0', address: ipv4('10.77.0.1'), netmask: ipv4('255.255.255.0') };
process.stdout.write(`${JSON.stringify(await probeDhcpServers(served))}\n`);
