import { execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { missingTool, runTool } from '#base/run-tool.ts';

const ip = { command: 'ip', debianPackage: 'iproute2' };
const radvd = { command: 'radvd', debianPackage: 'radvd' };

export const labServerAddress = '10.77.0.1';
const prefixLength = 24;
const bridge = 'plant';
export const relayedNetwork = '10.88.0.0/24';
const relayedRouterAddress = '10.88.0.1';
/** The router's address in the plant network. */
const uplinkAddress = '10.77.0.254';

/** The plant network of a rehearsal: one Ethernet segment in a network namespace of its own. */
export interface LabNetwork extends AsyncDisposable {
  readonly namespace: string;
  /** Interface with `serverAddress`; the netboot service serves on it. */
  readonly interfaceName: string;
  readonly serverAddress: string;
  /** `[program, ...arguments]` that runs `command` inside of the namespace. */
  inside(command: readonly string[]): [string, ...string[]];
  /** DNS servers of what runs `inside`, and the domain that short names are of. */
  useNameServers(addresses: readonly string[], domain: string): Promise<void>;
  /** Plugs a new cable in; the answer is the tap interface for an EmulatedNic. */
  addTap(): Promise<string>;
  /** Another computer on the segment, with an address and a prefix length (`10.77.0.2/24`) on its only card. */
  addHost(address: string): Promise<LabHost>;
  /**
   * Another segment behind a router, 10.88.0.0/24, with a DHCP relay that adds option 82 and asks `servers`. Stations at
   * its taps run in its namespace.
   */
  addRelayedSegment(servers: readonly string[]): Promise<LabSegment>;
}

export interface LabSegment {
  readonly namespace: string;
  addTap(): Promise<string>;
}

export interface LabHost {
  readonly interfaceName: string;
  /** `[program, ...arguments]` that runs `command` on that computer. */
  inside(command: readonly string[]): [string, ...string[]];
  /** Pulls its plug: every program on it is killed, its place in the network stays. */
  killAll(): void;
}

export interface LabNetworkOptions {
  /** A router that advertises itself, as a plant with IPv6 has one; default true. */
  readonly ipv6Router?: boolean;
}

let networks = 0;

/**
 * Needs root. It is gone after disposal, at the end of the process, and after SIGINT or SIGTERM; what a killed
 * process left behind is removed by the next call.
 */
export async function createLabNetwork({ ipv6Router = true }: LabNetworkOptions = {}): Promise<LabNetwork> {
  removeStaleNetworks();
  const namespace = `${namePrefix}${process.pid}-${++networks}`;
  const cleanUp = removeAtProcessEnd(namespace);
  try {
    await runTool(`creating the network namespace ${namespace}`, ip, ['netns', 'add', namespace]);
    await addBridge(namespace, `${labServerAddress}/${prefixLength}`);
    const routers = ipv6Router ? [await startRouter(namespace)] : [];
    let taps = 0;
    const addTap = async (segment: string) => {
      const tap = `tap${taps++}`;
      await runIp(segment, `tuntap add dev ${tap} mode tap`);
      await runIp(segment, `link set ${tap} master ${bridge} up`);
      return tap;
    };
    const hosts: { readonly cleanUp: () => void }[] = [];
    return {
      namespace,
      interfaceName: bridge,
      serverAddress: labServerAddress,
      inside: (command) => ['ip', 'netns', 'exec', namespace, ...command],
      useNameServers: async (addresses, domain) => {
        await mkdir(netnsFiles(namespace), { recursive: true });
        await writeFile(path.join(netnsFiles(namespace), 'resolv.conf'), resolvConf(addresses, domain));
      },
      addTap: () => addTap(namespace),
      addHost: async (address) => {
        const host = `${namePrefix}${process.pid}-${++networks}`;
        const card = 'eth0';
        hosts.push({ cleanUp: removeAtProcessEnd(host) });
        await runTool(`creating the network namespace ${host}`, ip, ['netns', 'add', host]);
        const port = `host${hosts.length}`;
        await runIp(namespace, `link add ${port} type veth peer name ${card} netns ${host}`);
        await runIp(namespace, `link set ${port} master ${bridge} up`);
        await runIp(host, 'link set lo up');
        await runIp(host, `address add ${address} dev ${card}`);
        await runIp(host, `link set ${card} up`);
        return {
          interfaceName: card,
          inside: (command) => ['ip', 'netns', 'exec', host, ...command],
          killAll: () => killPrograms(host),
        };
      },
      addRelayedSegment: async (servers) => {
        const router = `${namePrefix}${process.pid}-${++networks}`;
        hosts.push({ cleanUp: removeAtProcessEnd(router) });
        await runTool(`creating the network namespace ${router}`, ip, ['netns', 'add', router]);
        const port = `host${hosts.length}`;
        await runIp(namespace, `link add ${port} type veth peer name uplink netns ${router}`);
        await runIp(namespace, `link set ${port} master ${bridge} up`);
        await addBridge(router, `${relayedRouterAddress}/${prefixLength}`);
        await runIp(router, `address add ${uplinkAddress}/${prefixLength} dev uplink`);
        await runIp(router, 'link set uplink up');
        await runIp(namespace, `route replace ${relayedNetwork} via ${uplinkAddress}`);
        routers.push(await startRouter(router));
        startRelay(router, servers);
        return { namespace: router, addTap: () => addTap(router) };
      },
      [Symbol.asyncDispose]: async () => {
        for (const host of hosts) host.cleanUp();
        cleanUp();
        for (const { directory } of routers) await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    cleanUp();
    throw error;
  }
}

async function runIp(namespace: string, command: string): Promise<void> {
  await runTool(`setting up the lab network (ip ${command})`, ip, ['-n', namespace, ...command.split(' ')]);
}

async function addBridge(namespace: string, address: string): Promise<void> {
  await runIp(namespace, 'link set lo up');
  // A bridge that learns or listens before it forwards would swallow the first DHCP packets.
  await runIp(namespace, `link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`);
  await runIp(namespace, `address add ${address} dev ${bridge}`);
  await runIp(namespace, `link set ${bridge} up`);
}

/** isc-dhcp-relay, which ends with its namespace. */
function startRelay(namespace: string, servers: readonly string[]): void {
  spawn(
    'ip',
    [
      ...[
        'netns',
        'exec',
        namespace,
        'sh',
        '-c',
        'echo 1 >/proc/sys/net/ipv4/ip_forward; exec dhcrelay "$@"',
      ],
      ...['dhcrelay', '-4', '-d', '-a', '-iu', 'uplink', '-id', bridge, ...servers],
    ],
    { stdio: 'ignore' },
  );
}

/**
 * A router that advertises itself without a prefix. A plant has a router, and iPXE waits up to 16 seconds for
 * one before it goes on with IPv4.
 */
async function startRouter(namespace: string): Promise<{ readonly directory: string }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'rekindle-router-'));
  const configuration = path.join(directory, 'radvd.conf');
  await writeFile(
    configuration,
    `interface ${bridge} { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; };\n`,
  );
  // radvd refuses to advertise on a machine that does not forward.
  await runTool('letting the lab router forward', ip, [
    ...['netns', 'exec', namespace, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'],
  ]);
  const router = spawn(
    'ip',
    [
      ...['netns', 'exec', namespace, radvd.command, '--nodaemon', '--logmethod=stderr', '--debug=1'],
      ...[`--config=${configuration}`, `--pidfile=${path.join(directory, 'radvd.pid')}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let messages = '';
  router.stderr.setEncoding('utf8').on('data', (text: string) => {
    messages = (messages + text).slice(-2000);
  });
  await new Promise<void>((resolve, reject) => {
    const started = setTimeout(resolve, routerStartMilliseconds);
    router.once('exit', () => {
      clearTimeout(started);
      const missing = /No such file/.test(messages);
      const cause = new Error(messages.trim());
      reject(
        missing
          ? missingTool('the lab network', radvd, cause)
          : new RekindleError('unexpected', 'the router of the lab network ended at its start', { cause }),
      );
    });
  });
  return { directory };
}

/** radvd does not say that it is ready; one with a wrong configuration ends within this time. */
const routerStartMilliseconds = 300;

const namePrefix = 'rekindle-lab-';

/** Process id of the owner of a lab's namespace; undefined for other names. */
export function ownerOfNamespace(name: string): number | undefined {
  const owner = /^rekindle-lab-(\d+)-\d+$/.exec(name)?.[1];
  return owner === undefined ? undefined : Number(owner);
}

function removeStaleNetworks(): void {
  const listed = ipNow('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  for (const name of listed) {
    const owner = ownerOfNamespace(name);
    if (owner !== undefined && owner !== process.pid && !existsSync(`/proc/${owner}`)) removeNetwork(name);
  }
}

/** Ends what runs inside, then the namespace; synchronous, because it also runs while the process ends. */
function removeNetwork(namespace: string): void {
  killPrograms(namespace);
  ipNow('netns', 'delete', namespace);
  rmSync(netnsFiles(namespace), { recursive: true, force: true });
}

/** What `ip netns exec` lays over /etc (ip-netns(8)). */
const netnsFiles = (namespace: string): string => path.join('/etc/netns', namespace);

export const resolvConf = (nameServers: readonly string[], domain: string): string =>
  [
    `search ${domain}`,
    ...nameServers.map((address) => `nameserver ${address}`),
    'options timeout:2',
    '',
  ].join('\n');

function killPrograms(namespace: string): void {
  for (const pid of ipNow('netns', 'pids', namespace).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
}

/** Output of `ip`, empty when it fails: what is to be removed may be gone already. */
function ipNow(...args: string[]): string {
  try {
    return execFileSync(ip.command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function removeAtProcessEnd(namespace: string): () => void {
  const remove = (): void => {
    process.off('exit', remove);
    for (const signal of endSignals) process.off(signal, endBySignal);
    removeNetwork(namespace);
  };
  const endBySignal = (signal: NodeJS.Signals): void => {
    remove();
    // Without our handler the signal does what it does by default, and the parent sees why we ended.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  process.on('exit', remove);
  for (const signal of endSignals) process.on(signal, endBySignal);
  return remove;
}
