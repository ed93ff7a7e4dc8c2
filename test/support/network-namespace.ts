import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** One computer of a test network: a network namespace whose only card is `eth0`. */
export interface NetworkNamespace {
  readonly name: string;
  /** Starts a program inside; it is killed with the network at the latest. */
  spawn(command: string, args?: readonly string[]): ChildProcessWithoutNullStreams;
  /** Runs a program to its end, at most `seconds` (10), and never throws for its exit code. */
  run(command: string, args?: readonly string[], options?: { seconds?: number }): Promise<RunResult>;
}

export interface RunResult {
  /** Null when the program was killed, also by the time limit. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Member {
  /** With prefix length: `10.77.0.1/24`. Absent: the card is up and has none. */
  readonly address?: string;
  readonly mac?: string;
}

/** A throwaway LAN: every member in a namespace of its own, joined by a bridge in one more, `bridge`. */
export interface Network<Name extends string> extends AsyncDisposable {
  readonly members: Readonly<Record<Name | 'bridge', NetworkNamespace>>;
}

let networks = 0;

/**
 * `await using lan = await createNetwork({ server: { address: '10.77.0.1/24' }, client: {} })`. Needs root and
 * iproute2. Members have a default route through eth0, so that programs which broadcast without binding to the
 * card reach the LAN too. The bridge forwards at once, without spanning tree.
 */
export async function createNetwork<Name extends string>(
  members: Readonly<Record<Name, Member>>,
): Promise<Network<Name>> {
  const id = `rk${process.pid}n${networks++}`;
  const children = new Set<ChildProcessWithoutNullStreams>();
  const created: string[] = [];
  const names = Object.keys(members) as Name[];

  const dispose = async () => {
    await Promise.all(Array.from(children, end));
    for (const name of created.splice(0)) await ip('netns', 'delete', name);
  };
  const addNamespace = async (member: string) => {
    const name = `${id}-${member}`;
    await ip('netns', 'add', name);
    created.push(name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await execute('ip', ['netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1']);
    return name;
  };

  try {
    const bridge = await addNamespace('bridge');
    await ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
    await ip('-n', bridge, 'link', 'set', 'br0', 'up');
    for (const [index, member] of names.entries()) {
      const name = await addNamespace(member);
      const port = `port${index}`;
      const peer = ['peer', 'name', 'eth0', 'netns', name];
      await ip('-n', bridge, 'link', 'add', port, 'type', 'veth', ...peer);
      const { mac, address } = members[member];
      if (mac !== undefined) await ip('-n', name, 'link', 'set', 'eth0', 'address', mac);
      await ip('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up');
      await ip('-n', name, 'link', 'set', 'eth0', 'up');
      if (address !== undefined) await ip('-n', name, 'address', 'add', address, 'dev', 'eth0');
      await ip('-n', name, 'route', 'add', 'default', 'dev', 'eth0');
    }
  } catch (error) {
    await dispose();
    throw new Error('The test network could not be made; it needs root and the Debian package iproute2', {
      cause: error,
    });
  }

  const namespaces = [...names, 'bridge' as const].map((member) => [
    member,
    namespace(`${id}-${member}`, children),
  ]);
  return { members: Object.fromEntries(namespaces), [Symbol.asyncDispose]: dispose };
}

function namespace(name: string, children: Set<ChildProcessWithoutNullStreams>): NetworkNamespace {
  const start: NetworkNamespace['spawn'] = (command, args = []) => {
    const child = spawn('ip', ['netns', 'exec', name, command, ...args]);
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };
  return {
    name,
    spawn: start,
    async run(command, args, { seconds = 10 } = {}) {
      const child = start(command, args);
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const [code] = (await once(child, 'close')) as [number | null];
      clearTimeout(timer);
      return { code, stdout, stderr };
    },
  };
}

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

async function ip(...args: string[]): Promise<void> {
  await execute('ip', args);
}
