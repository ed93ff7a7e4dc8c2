import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import { createServer } from 'node:net';
import type { Configuration } from '../config/configuration.ts';
import { bootServerPort, serverPort } from '../dhcp/destination.ts';
import type { ServedInterface } from '../site/served-interface.ts';
import { type Finding, problem, well } from './finding.ts';

interface Port {
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
  readonly what: string;
}

/** Every port that `serve` opens on an interface. Where the service runs already, its ports are in use as they should. */
export async function checkPorts(
  { name, address }: ServedInterface,
  { tftp, http: boot, https }: Configuration,
): Promise<Finding[]> {
  if (await isRunning(address, boot.port)) {
    return [well('ports', `The service runs and answers on ${name} (${address}).`)];
  }
  const ports: Port[] = [
    { protocol: 'udp', port: serverPort, what: 'DHCP' },
    { protocol: 'udp', port: bootServerPort, what: 'the PXE boot server' },
    { protocol: 'udp', port: tftp.port, what: 'TFTP' },
    { protocol: 'tcp', port: boot.port, what: 'boot files' },
    { protocol: 'tcp', port: https.port, what: 'the API' },
  ];
  const findings: Finding[] = [];
  for (const port of ports) {
    const code = await tryPort(address, port);
    if (code !== undefined) findings.push(judgePort(address, port, code));
  }
  if (findings.length > 0) return findings;
  const list = ports.map(({ protocol, port }) => `${port}/${protocol}`).join(', ');
  return [well('ports', `All ports are free on ${name} (${address}): ${list}.`)];
}

/** @param code of the system's error */
export function judgePort(address: string, { protocol, port, what }: Port, code: string): Finding {
  const about = `${port}/${protocol} of ${address}, for ${what},`;
  switch (code) {
    case 'EADDRINUSE': {
      const list = protocol === 'udp' ? 'ss -ulpn' : 'ss -tlpn';
      return problem(
        'ports',
        `${about} is in use by another program.`,
        `Stop what uses it: \`${list} 'sport = :${port}'\` names it.`,
      );
    }
    case 'EACCES':
      return problem(
        'ports',
        `${about} may not be opened by this user.`,
        'Run it as root, or with CAP_NET_BIND_SERVICE (`rekindle init --systemd` makes such a service).',
      );
    default:
      return problem(
        'ports',
        `${about} cannot be opened: ${code}.`,
        'Check the address: `ip -brief address` lists those of this computer.',
      );
  }
}

async function tryPort(address: string, { protocol, port }: Port): Promise<string | undefined> {
  try {
    if (protocol === 'udp') {
      const socket = createSocket('udp4');
      try {
        socket.bind({ address, port, exclusive: true });
        await once(socket, 'listening');
      } finally {
        socket.close();
      }
    } else {
      const server = createServer();
      server.listen({ host: address, port });
      await once(server, 'listening');
      await new Promise((closed) => server.close(closed));
    }
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** Only our service answers there with `ok`. */
function isRunning(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ host: address, port, path: '/healthz', timeout: 2000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text.slice(0, 100);
      });
      response.once('end', () => resolve(response.statusCode === 200 && body === 'ok\n'));
      response.once('error', () => resolve(false));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}
