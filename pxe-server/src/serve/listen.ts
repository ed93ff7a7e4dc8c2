import { once } from 'node:events';
import type { Server } from 'node:net';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';

/** @throws RekindleError `usage` when the port cannot be had */
export async function listen(server: Server, what: string, address: string, port: number): Promise<void> {
  try {
    server.listen({ host: address, port });
    await once(server, 'listening');
  } catch (cause) {
    const inUse = isErrno(cause, 'EADDRINUSE');
    throw new RekindleError('usage', `${what} cannot use TCP port ${port} of ${address}`, {
      cause,
      next: inUse
        ? 'Stop what uses it (`ss -tlpn` names it), or choose another port in rekindle.yaml.'
        : 'Check the interface and its address: `ip -brief address`.',
    });
  }
}
