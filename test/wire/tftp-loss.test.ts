import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork, type Network } from '#test/support/network-namespace.ts';

/** 5 % of the datagrams in each direction. nft wants a file with line breaks. */
const rules = `table inet loss {
  chain incoming {
    type filter hook input priority 0; policy accept;
    meta l4proto udp numgen random mod 100 < 5 counter drop
  }
}
`;
const loader = randomBytes(1 << 20);
let lan: Network<'server' | 'client'>;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rekindle-tftp-'));
  await writeFile(join(folder, 'loader'), loader);
  await writeFile(join(folder, 'rules'), rules);
  lan = await createNetwork({ server: { address: '10.77.0.1/24' }, client: { address: '10.77.0.2/24' } });
  for (const member of [lan.members.server, lan.members.client]) {
    const { code, stderr } = await member.run('nft', ['-f', join(folder, 'rules')]);
    if (code !== 0) throw new Error(`nft (Debian package nftables) refused the rules: ${stderr}`);
  }
  const argument = { address: '10.77.0.1', files: { loader: join(folder, 'loader') } };
  const script = new URL('../support/tftp-server-process.ts', import.meta.url);
  const server = startJsonLines<{ event: string }>(lan.members.server, script, argument);
  await server.waitFor(({ event }) => event === 'listening');
});
afterAll(async () => {
  await lan[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const options = ['--option', 'blksize 1468', '--option', 'windowsize 4'];
test.each([
  ['tftp-hpa, 512 bytes in lock-step', 'tftp', ['-m', 'binary', '10.77.0.1', '-c', 'get', 'loader']],
  // It does not answer a block that it has: a lost acknowledgement must not stall it.
  ['atftp, 512 bytes in lock-step', 'atftp', ['-g', '-r', 'loader', '10.77.0.1', '-l']],
  ['atftp, windows of 4', 'atftp', [...options, '-g', '-r', 'loader', '10.77.0.1', '-l']],
])(
  'pain 10: 1 MiB comes whole over a wire that loses one in twenty, each way: %s',
  async (_, command, args) => {
    const local = join(folder, command);
    const { code, stderr } = await lan.members.client.run(command, [...args, local], { seconds: 30 });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect((await readFile(local)).equals(loader)).toBe(true);
    const counters = await lan.members.client.run('nft', ['list', 'ruleset']);
    expect(Number(/packets (\d+)/.exec(counters.stdout)?.[1])).toBeGreaterThan(10);
  },
);
