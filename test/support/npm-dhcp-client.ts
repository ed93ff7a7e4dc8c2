/** The npm package `dhcp` as a client of its own kind: prints the lease that it understood as one JSON line. */
import { createRequire } from 'node:module';

interface NpmDhcpClient {
  listen(): void;
  sendDiscover(): void;
  on(event: 'listening' | 'error' | 'bound', listener: (value: unknown) => void): void;
}

const { createClient } = createRequire(import.meta.url)('dhcp') as {
  createClient(options: { mac: string }): NpmDhcpClient;
};
const client = createClient({ mac: process.argv[2] ?? '' });
client.on('error', (error) => process.stderr.write(`${String(error)}\n`));
client.on('bound', (lease) => {
  process.stdout.write(`${JSON.stringify(lease)}\n`);
  process.exit(0);
});
client.on('listening', () => client.sendDiscover());
client.listen();
