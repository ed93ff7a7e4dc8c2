import { type ChildProcess, spawn } from 'node:child_process';
import { cp, lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { callTool, runTool, type ToolOptions, type ToolResult } from '#base/run-tool.ts';
import { type LabNetwork, resolvConf } from '../lab-network.ts';

export const labRealm = 'LAB.EXAMPLE';
export const labDomain = 'lab.example';
export const labWorkgroup = 'LAB';
/** Of the first controller, which is the name server of everybody. */
export const controllerAddress = '10.77.0.11';

/**
 * One computer of the lab that runs Samba. Samba's children read no `--option`, and libwbclient finds winbindd at one
 * place only: every computer sees folders of its own where Debian has Samba's (a mount namespace for every command),
 * and a network namespace is its network.
 */
export interface SambaHost {
  /** Computer name, upper case. */
  readonly name: string;
  /** Without prefix length. */
  readonly address: string;
  /** All that Samba keeps of this computer; the restored copy of a station is a copy of this. */
  readonly directory: string;
  /** Hands back whatever the tool said. */
  call(command: string, args: readonly string[], options?: ToolOptions): Promise<ToolResult>;
  /** @throws RekindleError when it fails */
  run(doing: string, command: string, args: readonly string[], options?: ToolOptions): Promise<string>;
  spawn(command: string, args: readonly string[]): ChildProcess;
  /** Ends every program of this computer: Samba's helpers outlive their parent. */
  stopAll(): Promise<void>;
}

export interface SambaHostRequest {
  readonly network: LabNetwork;
  readonly directory: string;
  readonly name: string;
  readonly address: string;
  /** Name servers: addresses of domain controllers. */
  readonly nameServers: readonly string[];
}

/** In the computer's folder, and where Samba looks for it. */
const folders = {
  etc: '/etc/samba',
  lib: '/var/lib/samba',
  cache: '/var/cache/samba',
  log: '/var/log/samba',
  run: '/run/samba',
} as const;

const prefixLength = 24;

export async function addSambaHost(request: SambaHostRequest): Promise<SambaHost> {
  const { network, directory, name, address, nameServers } = request;
  for (const [folder, place] of Object.entries(folders)) {
    await mkdir(path.join(directory, folder), { recursive: true });
    await mkdir(place, { recursive: true });
  }
  await mkdir(path.join(directory, 'lib', 'private'), { recursive: true });
  const dnsName = `${name.toLowerCase()}.${labDomain}`;
  await writeFile(
    path.join(directory, 'hosts'),
    `127.0.0.1 localhost\n${address} ${dnsName} ${name.toLowerCase()}\n`,
  );
  await writeFile(path.join(directory, 'resolv.conf'), resolvConf(nameServers, labDomain));
  await writeFile(path.join(directory, 'krb5.conf'), krb5Conf);
  const host = await network.addHost(`${address}/${prefixLength}`);
  const entered = (command: string, args: readonly string[]): [string, ...string[]] =>
    host.inside([
      ...['unshare', '--mount', '--uts', 'sh', '-c'],
      enterScript,
      'sh',
      directory,
      name,
      command,
      ...args,
    ]);
  const environment = {
    ...(process.env as Record<string, string>),
    KRB5_CONFIG: path.join(directory, 'krb5.conf'),
    // Nobody cuts the power of these computers: thousands of flushes would take most of the time.
    TDB_NO_FSYNC: '1',
  };

  const call: SambaHost['call'] = (command, args, options = {}) => {
    const [program, ...all] = entered(command, args);
    return callTool(`running ${command} on ${name}`, { command: program, debianPackage: 'iproute2' }, all, {
      ...options,
      env: environment,
    });
  };
  return {
    name,
    address,
    directory,
    call,
    run: (doing, command, args, options = {}) => {
      const [program, ...all] = entered(command, args);
      return runTool(doing, { command: program, debianPackage: 'iproute2' }, all, {
        ...options,
        env: environment,
      });
    },
    spawn: (command, args) => {
      const [program, ...all] = entered(command, args);
      return spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'], env: environment });
    },
    stopAll: async () => host.killAll(),
  };
}

/** Binds the computer's folders, gives it its name, and becomes the command. */
const enterScript = [
  'set -e; state=$1; name=$2; shift 2',
  ...Object.entries(folders).map(([folder, place]) => `mount --bind "$state/${folder}" ${place}`),
  'mount --bind "$state/hosts" /etc/hosts',
  'mount --bind "$state/resolv.conf" /etc/resolv.conf',
  'hostname "$name"',
  'exec "$@"',
].join('\n');

const krb5Conf = `[libdefaults]
  default_realm = ${labRealm}
  dns_lookup_realm = false
  dns_lookup_kdc = true
  rdns = false
`;

/** The computer's disk as it is now; nothing of it may be running. */
export async function copyState(host: SambaHost, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await copyFolder(host.directory, to);
}

/** Without the sockets that ended programs have left. */
const copyFolder = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, filter: async (file) => !(await lstat(file)).isSocket() });

/** Puts an earlier copy back, as a restore does. */
export async function restoreState(host: SambaHost, from: string): Promise<void> {
  for (const folder of Object.keys(folders)) {
    // The folder itself may be bound somewhere: its content is replaced.
    await rm(path.join(host.directory, folder), { recursive: true, force: true });
    await copyFolder(path.join(from, folder), path.join(host.directory, folder));
  }
}
