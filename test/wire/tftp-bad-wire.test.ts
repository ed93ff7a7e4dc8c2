import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { BadWireArgument, BadWireCounts } from '#test/support/bad-wire.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork } from '#test/support/network-namespace.ts';

const limitSeconds = 15;
const wire = '10.77.0.3';
const clients = (file: (name: string) => string) =>
  ({
    'tftp-hpa': ['tftp', ['-m', 'binary', wire, '-c', 'get', 'loader', file('tftp-hpa')]],
    atftp: ['atftp', ['-g', '-r', 'loader', wire, '-l', file('atftp')]],
    curl: ['curl', ['-sS', '-o', file('curl'), `tftp://${wire}/loader`]],
    busybox: ['busybox', ['tftp', '-g', '-r', 'loader', '-l', file('busybox'), wire]],
  }) as const satisfies Record<string, readonly [string, readonly string[]]>;

test('pain 10: 1 MiB comes whole within 15 s over a wire that loses, doubles and reorders 5 % each: four clients', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-bad-wire-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const loader = randomBytes(1 << 20);
  await writeFile(join(folder, 'loader'), loader);
  await using lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    wire: { address: `${wire}/24` },
    client: { address: '10.77.0.2/24' },
  });
  const script = (name: string) => new URL(`../support/${name}`, import.meta.url);
  const server = startJsonLines<{ event: string }>(lan.members.server, script('tftp-server-process.ts'), {
    address: '10.77.0.1',
    files: { loader: join(folder, 'loader') },
  });
  await server.waitFor(({ event }) => event === 'listening');
  const argument: BadWireArgument = { address: wire, server: '10.77.0.1', share: 0.05, seed: 20261123 };
  const bad = startJsonLines<BadWireCounts>(lan.members.wire, script('bad-wire.ts'), argument);
  await bad.waitFor(({ event }) => event === 'ready');

  const seconds = await Promise.all(
    Object.entries(clients((name) => join(folder, name))).map(async ([name, [command, args]]) => {
      const startedAt = performance.now();
      const { code, stderr } = await lan.members.client.run(command, args, { seconds: 40 });
      const taken = (performance.now() - startedAt) / 1000;
      expect({ name, code, stderr, same: (await readFile(join(folder, name))).equals(loader) }).toMatchObject(
        {
          code: 0,
          same: true,
        },
      );
      return [name, taken] as const;
    }),
  );
  await bad.stop();
  const counts = bad.values.at(-1);
  expect(counts?.carried).toBeGreaterThan(4 * 4096);
  for (const kind of ['lost', 'doubled', 'reordered'] as const) {
    expect((counts?.[kind] ?? 0) / (counts?.carried ?? 1)).toBeGreaterThan(0.035);
  }
  process.stdout.write(
    `bad wire: ${seconds.map(([name, taken]) => `${name} ${taken.toFixed(1)} s`).join(', ')}\n`,
  );
  for (const [name, taken] of seconds)
    expect({ name, inTime: taken < limitSeconds }).toEqual({ name, inTime: true });
});
