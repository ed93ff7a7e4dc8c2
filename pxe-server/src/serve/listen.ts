import { once } from 'node:events';
import type { Server } from 'node:net';
import { RekindleError } from '#base/errors.ts';

/** @throws RekindleError `usage` when the port cannot be had */
export async function listen(server: Server, what: string, address: string, port: number): Promise<void> {
  try {
    server.listen({ host: address, port });
    await once(server, 'listening');
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
    throw new RekindleError('usage', `${what} cannot use TCP port ${port} of ${address}`, {
      cause,
      next: inUse
        ? 'Stop what uses it (`ss -tlpn` names it), or choose another port in rekindle.yaml.'
        : 'Check the interface and its address: `ip -brief address`.',
    });
  }
}
