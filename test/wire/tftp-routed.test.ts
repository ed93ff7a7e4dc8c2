import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { TftpEvent } from '#pxe-server/tftp/tftp-event.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createRoutedPlant } from '#test/support/routed-plant.ts';

const loader = randomBytes(300_001);
const clients: readonly (readonly [string, readonly string[]])[] = [
  [
    'atftp',
    ['--option', 'blksize 1468', '--option', 'windowsize 4', '-g', '-r', 'loader', '10.77.0.1', '-l'],
  ],
  ['curl', ['-sS', '--tftp-blksize', '1468', 'tftp://10.77.0.1/loader', '-o']],
  ['tftp', ['-m', 'binary', '10.77.0.1', '-c', 'get', 'loader']],
];

test('pain 10: a loader comes whole through a router whose link takes smaller packets than the block that was asked for', async () => {
  await using plant = await createRoutedPlant('52:54:00:00:00:01');
  const { server, router, station } = plant.members;
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-routed-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'loader'), loader);
  // A tunnel or a VPN on the way, say: a whole block of 1468 bytes does not fit.
  for (const [member, card] of [
    [router, 'eth1'],
    [station, 'eth0'],
  ] as const) {
    expect(await member.run('ip', ['link', 'set', card, 'mtu', '1300'])).toMatchObject({ code: 0 });
  }
  const argument = { address: '10.77.0.1', files: { loader: join(folder, 'loader') } };
  const script = new URL('../support/tftp-server-process.ts', import.meta.url);
  const service = startJsonLines<TftpEvent>(server, script, argument);
  await service.waitFor(({ event }) => event === 'listening');
  for (const [command, args] of clients) {
    const copy = join(folder, command);
    const startedAt = performance.now();
    const { code, stderr } = await station.run(command, [...args, copy], { seconds: 20 });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    // Repeated by us after a round trip, not by the client after its seconds.
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect((await readFile(copy)).equals(loader)).toBe(true);
  }
  const finished = service.values.filter(({ event }) => event === 'finished');
  expect(finished).toHaveLength(clients.length);
  for (const event of finished)
    expect(event).toMatchObject({ outcome: { kind: 'done' }, fileName: 'loader' });
});
