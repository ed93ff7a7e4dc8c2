import * as z from 'zod';

const vlanError = 'a VLAN is 1 to 4094';
const mtuError = 'a packet has 576 to 9216 bytes';
const waitError = 'patience is 10 to 600 seconds';

/**
 * How a station reaches the recovery network where a plain DHCP port is not what it has: set with
 * `rekindle station set`, kept in the registry, and handed to the runtime as words of the kernel command line, by
 * the boot script and by recovery media alike. Nothing in it is secret. Everything is optional; absent means DHCP
 * on the untagged port with the card's usual frame size.
 */
export const stationNetworkSchema = z
  .strictObject({
    /** IEEE 802.1Q VLAN of a tagged switch port. */
    vlan: z.int().min(1, vlanError).max(4094, vlanError).optional(),
    /** Fixed address with prefix length, e.g. 10.77.0.20/24, instead of DHCP. */
    address: z.cidrv4('write it with its prefix length, as 10.77.20.5/24').optional(),
    /** Default route; only with a fixed address, DHCP brings its own. */
    router: z.ipv4('write it as 10.77.20.1').optional(),
    /** Largest IP packet in bytes; more than 1500 needs switches that carry jumbo frames. */
    mtu: z.int().min(576, mtuError).max(9216, mtuError).optional(),
    /** How long a link, a switch port that does not forward yet and an address are waited for. */
    waitSeconds: z.int().min(10, waitError).max(600, waitError).optional(),
  })
  .refine(({ address, router }) => router === undefined || address !== undefined, {
    error: 'a router goes with a fixed address; DHCP brings its own',
    path: ['router'],
  });
export type StationNetwork = z.infer<typeof stationNetworkSchema>;

/** Word of the kernel command line for each setting. */
const words: Readonly<Record<keyof StationNetwork, string>> = {
  vlan: 'rekindle.vlan',
  address: 'rekindle.address',
  router: 'rekindle.router',
  mtu: 'rekindle.mtu',
  waitSeconds: 'rekindle.wait',
};
const names = Object.keys(words) as (keyof StationNetwork)[];
const numbers: ReadonlySet<keyof StationNetwork> = new Set(['vlan', 'mtu', 'waitSeconds']);

/** `rekindle.vlan=20 rekindle.address=10.77.0.20/24 …`, in a fixed order. */
export function formatStationNetwork(network: StationNetwork): string[] {
  return names.flatMap((name) => (network[name] === undefined ? [] : [`${words[name]}=${network[name]}`]));
}

export type ParsedStationNetwork =
  | { readonly kind: 'network'; readonly network: StationNetwork }
  | { readonly kind: 'wrong'; readonly wrong: readonly string[] };

/** Reads the words of a kernel command line, split at their first `=`. */
export function parseStationNetwork(commandLine: ReadonlyMap<string, string>): ParsedStationNetwork {
  const said = names.flatMap((name): [string, string | number][] => {
    const text = commandLine.get(words[name]);
    if (text === undefined) return [];
    return [[name, numbers.has(name) && /^\d+$/.test(text) ? Number(text) : text]];
  });
  const parsed = stationNetworkSchema.safeParse(Object.fromEntries(said));
  if (parsed.success) return { kind: 'network', network: parsed.data };
  return {
    kind: 'wrong',
    wrong: parsed.error.issues.map(({ path, message }) => {
      const name = path[0] as keyof StationNetwork;
      return `${words[name]}=${commandLine.get(words[name])}: ${message}`;
    }),
  };
}

/** `VLAN 20, fixed address 10.77.0.20/24, router 10.77.0.1, MTU 9000`; "DHCP" when nothing is set. */
export function describeStationNetwork({ vlan, address, router, mtu, waitSeconds }: StationNetwork): string {
  return [
    vlan === undefined ? '' : `VLAN ${vlan}`,
    address === undefined ? 'DHCP' : `fixed address ${address}`,
    router === undefined ? '' : `router ${router}`,
    mtu === undefined ? '' : `MTU ${mtu}`,
    waitSeconds === undefined ? '' : `waits ${waitSeconds} s`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}
