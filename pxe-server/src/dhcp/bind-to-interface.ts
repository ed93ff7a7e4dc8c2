import { spawnSync } from 'node:child_process';
import type { Socket } from 'node:dgram';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { RekindleError } from '#base/errors.ts';

/**
 * SO_BINDTODEVICE: from now on the socket hears this interface only, and sends broadcasts through it. Node cannot set
 * it, so perl (always there on Debian) sets it on the socket that it inherits; the option belongs to the socket, not
 * to the process. No privilege is needed since Linux 5.7.
 * @param bound runs once the socket is bound; the socket that it adds to this process is the one that is meant
 * @throws RekindleError `usage`: no such interface, or perl is not there
 */
export async function bindToInterface(
  interfaceName: string,
  port: number,
  bound: () => Promise<Socket>,
): Promise<Socket> {
  const before = new Set(descriptorsOf(port));
  const socket = await bound();
  // Not as descriptor 0 to 2: libuv makes those blocking in the child, and with it this very socket in here.
  const [descriptor] = descriptorsOf(port).filter((each) => !before.has(each));
  const { status, stderr, error } = spawnSync('perl', ['-e', script, interfaceName], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor ?? 'ignore'],
    encoding: 'utf8',
  });
  if (status === 0) return socket;
  socket.close();
  throw new RekindleError('usage', `Binding UDP port ${port} to the network interface ${interfaceName}`, {
    cause: error ?? new Error(stderr.trim()),
    next: 'Check that the interface is there (`ip -brief link`) and that perl is installed.',
  });
}

/** 1 is SOL_SOCKET, 25 SO_BINDTODEVICE. */
const script =
  'open(my $socket, "+<&=3") or die "$!\\n"; setsockopt($socket, 1, 25, $ARGV[0]) or die "$!\\n"';

/** Our descriptors of UDP sockets bound to 0.0.0.0 and this port, by the kernel's table of sockets. */
function descriptorsOf(port: number): number[] {
  const local = `00000000:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = new Set(
    readFileSync('/proc/self/net/udp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1] === local)
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => sockets.has(targetOf(descriptor)));
}

function targetOf(descriptor: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // The descriptor of this very directory listing is gone again.
    return '';
  }
}
