import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TftpEvent } from '#pxe-server/tftp/tftp-event.ts';
import { startTftpServer, type TftpServer } from '#pxe-server/tftp/tftp-server.ts';
import { mutate, seededRandom } from '#test/support/random.ts';

const execute = promisify(execFile);
const host = '127.0.0.1';
const loader = randomBytes(300_001);
const exact = randomBytes(512 * 40);
const manyBlocks = Buffer.alloc(65_540 * 8 + 3, 'block number beyond 65535 ');
const text = Buffer.from('first line\nsecond\rhalf\n');
const events: TftpEvent[] = [];
let server: TftpServer;
let port: string;
let folder: string;
let local: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rekindle-tftp-'));
  local = join(folder, 'local');
  await writeFile(join(folder, 'on-disk'), loader);
  server = await startTftpServer({
    address: host,
    port: 0,
    files: new Map<string, { bytes: Uint8Array } | { path: string; size: number }>([
      ['snponly.efi', { bytes: loader }],
      ['on-disk', { path: join(folder, 'on-disk'), size: loader.length }],
      ['shrunk', { path: join(folder, 'on-disk'), size: loader.length + 1 }],
      ['gone', { path: join(folder, 'gone'), size: 10 }],
      ['exact', { bytes: exact }],
      ['empty', { bytes: new Uint8Array(0) }],
      ['many-blocks', { bytes: manyBlocks }],
      ['text', { bytes: text }],
    ]),
    onEvent: (event) => void events.push(event),
  });
  port = String(server.port);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const npmClient = new URL('../support/npm-tftp-client.ts', import.meta.url).pathname;
const clients: Record<string, (name: string) => [string, string[]]> = {
  'tftp-hpa': (name) => ['tftp', ['-m', 'binary', host, port, '-c', 'get', name, local]],
  atftp: (name) => ['atftp', ['-g', '-r', name, '-l', local, host, port]],
  'atftp with blksize and windowsize': (name) => [
    'atftp',
    ['--option', 'blksize 1428', '--option', 'windowsize 8', '-g', '-r', name, '-l', local, host, port],
  ],
  curl: (name) => ['curl', ['-sS', '-o', local, `tftp://${host}:${port}/${name}`]],
  'curl without options': (name) => [
    'curl',
    ['-sS', '--tftp-no-options', '-o', local, `tftp://${host}:${port}/${name}`],
  ],
  busybox: (name) => ['busybox', ['tftp', '-g', '-b', '1468', '-r', name, '-l', local, host, port]],
  'npm tftp': (name) => [process.execPath, ['--no-deprecation', npmClient, host, port, name, local]],
};

test.each(Object.keys(clients))('%s reads the same bytes, from memory and from disk', async (client) => {
  for (const name of ['snponly.efi', 'on-disk', 'exact']) {
    await rm(local, { force: true });
    const [command, args] = clients[client]?.(name) ?? ['', []];
    await execute(command, args, { timeout: 10_000 });
    expect(await readFile(local)).toEqual(name === 'exact' ? exact : loader);
  }
});

test('tftp-hpa in netascii gets CR LF on the wire and its own line ends on disk', async () => {
  await execute('tftp', ['-m', 'ascii', host, port, '-c', 'get', 'text', local]);
  expect(await readFile(local)).toEqual(text);
});

test('pain 10: block numbers go on after 65535 with 0', async () => {
  await execute('atftp', [
    '--option',
    'blksize 8',
    '--option',
    'windowsize 16',
    '-g',
    '-r',
    'many-blocks',
    '-l',
    local,
    host,
    port,
  ]);
  expect(await readFile(local)).toEqual(manyBlocks);
});

/** A client of one datagram at a time; the answer carries the port of the transfer. */
async function hand(): Promise<{
  socket: Socket;
  ask(bytes: string | Buffer, toPort?: number): Promise<{ bytes: Buffer; port: number }>;
  [Symbol.dispose](): void;
}> {
  const socket = createSocket('udp4').bind(0, host);
  await once(socket, 'listening');
  return {
    socket,
    async ask(bytes, toPort = server.port) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(2000) });
      socket.send(bytes, toPort, host);
      const [message, from] = (await answer) as [Buffer, { port: number }];
      return { bytes: message, port: from.port };
    },
    [Symbol.dispose]: () => void socket.close(),
  };
}

test.each([
  ['an unknown name', '\0\x01revocations_sku.efi\0octet\0blksize\x00512\0', '\0\x05\0\x01No such file\0'],
  ['a path out of the map', '\0\x01../../etc/passwd\0octet\0', '\0\x05\0\x01No such file\0'],
  ['a name of every object', '\0\x01__proto__\0octet\0', '\0\x05\0\x01No such file\0'],
  ['a write', '\0\x02snponly.efi\0octet\0', '\0\x05\0\x02This server only reads\0'],
  ['mail mode', '\0\x01text\0mail\0', '\0\x05\0\x04Only octet and netascii are served\0'],
  ['a file that vanished', '\0\x01gone\0octet\0', '\0\x05\0\0The server cannot read this file now\0'],
  ['an empty file', '\0\x01empty\0octet\0', '\0\x03\0\x01'],
  ['another spelling of name, mode and option', '\0\x01/SNPONLY.EFI\0OCTET\0', '\0\x05\0\x01No such file\0'],
  ['backslash, capital options', '\0\x01\\exact\0Octet\0TSIZE\x000\0', '\0\x06tsize\x0020480\0'],
  ['netascii', '\0\x01text\0netascii\0', '\0\x03\0\x01first line\r\nsecond\r\0half\r\n'],
])('%s', async (_, request, answer) => {
  using client = await hand();
  const { bytes } = await client.ask(request);
  expect(bytes.toString('latin1')).toBe(answer);
});

test('pain 10: OVMF asks for the size, refuses the answer, and that is no failure', async () => {
  using client = await hand();
  const { bytes, port: transfer } = await client.ask(
    '\0\x01snponly.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0',
  );
  expect(bytes.toString('latin1')).toBe('\0\x06blksize\x001468\0tsize\x00300001\0windowsize\x004\0');
  client.socket.send('\0\x05\0\x08User aborted the transfer\0', transfer, host);
  const name = `${host}:${client.socket.address().port}`;
  const finished = () => events.find((event) => event.event === 'finished' && event.client === name);
  await expect.poll(finished).toMatchObject({ outcome: { kind: 'probed' } });
});

test('a stranger on the port of a transfer is told off and the transfer goes on', async () => {
  using client = await hand();
  using stranger = await hand();
  const first = await client.ask('\0\x01exact\0octet\0');
  const toStranger = await stranger.ask('\0\x04\0\x01', first.port);
  expect(toStranger.bytes.subarray(0, 4)).toEqual(Buffer.from([0, 5, 0, 5]));
  const second = await client.ask('\0\x04\0\x01', first.port);
  expect(second.bytes.subarray(0, 4)).toEqual(Buffer.from([0, 3, 0, 2]));
  client.socket.send('\0\x05\0\0done\0', first.port, host);
});

test('a request that the network doubled does not end its transfer; a client that begins anew gets its first block', async () => {
  using client = await hand();
  const heard: string[] = [];
  client.socket.on('message', (bytes, { port }) => heard.push(`${port} ${bytes.toString('hex', 0, 4)}`));
  const request = '\0\x01exact\0octet\0';
  const { port: first } = await client.ask(request);
  await client.ask('\0\x04\0\x01', first);
  client.socket.send(request, server.port, host);
  await client.ask('\0\x04\0\x02', first);
  expect(new Set(heard)).toEqual(new Set([`${first} 00030001`, `${first} 00030002`, `${first} 00030003`]));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  heard.length = 0;
  client.socket.send(request, server.port, host);
  await expect.poll(() => heard.filter((each) => !each.startsWith(`${first} `))).toHaveLength(1);
  const second = Number(heard.find((each) => !each.startsWith(`${first} `))?.split(' ')[0]);
  client.socket.send('\0\x05\0\0done\0', second, host);
  expect(heard.filter((each) => each.includes(' 0005'))).toEqual([]);
});

test('pain 10: on a single port, 20 clients at once; every packet comes from the port that was asked', async () => {
  const single = await startTftpServer({
    address: host,
    port: 0,
    singlePort: true,
    files: new Map([['snponly.efi', { bytes: loader }]]),
    onEvent: (event) => void events.push(event),
  });
  try {
    using client = await hand();
    const { port: answers } = await client.ask('\0\x01snponly.efi\0octet\0', single.port);
    const { bytes, port: second } = await client.ask('\0\x04\0\x01', single.port);
    expect([answers, second, bytes.readUInt16BE(2)]).toEqual([single.port, single.port, 2]);
    client.socket.send('\0\x05\0\0done\0', single.port, host);
    const copies = Array.from({ length: 20 }, (_, index) => join(folder, `single${index}`));
    await Promise.all(
      copies.map((copy, index) =>
        index % 2 === 0
          ? execute('curl', ['-sS', '-o', copy, `tftp://${host}:${single.port}/snponly.efi`])
          : execute('atftp', ['-g', '-r', 'snponly.efi', '-l', copy, host, String(single.port)]),
      ),
    );
    for (const copy of copies) expect((await readFile(copy)).equals(loader)).toBe(true);
  } finally {
    await single.close();
  }
});

test('100 clients at once, each its own bytes', async () => {
  const copies = Array.from({ length: 100 }, (_, index) => join(folder, `copy${index}`));
  await Promise.all(
    copies.map((copy) => execute('curl', ['-sS', '-o', copy, `tftp://${host}:${port}/snponly.efi`])),
  );
  for (const copy of copies) expect((await readFile(copy)).equals(loader)).toBe(true);
});

test('a file that became shorter ends in an ERROR, not in silence', async () => {
  const client = clients['curl']?.('shrunk') ?? ['', []];
  await expect(execute(...client, { timeout: 5000 })).rejects.toThrow();
  const failed = () => events.find((event) => event.event === 'failed' && event.doing.includes('shrunk'));
  await expect.poll(failed).toBeDefined();
});

test('3000 damaged requests and packets to a transfer, then a client still reads', async () => {
  const random = seededRandom(1350);
  using client = await hand();
  const first = await client.ask('\0\x01snponly.efi\0octet\0windowsize\x004\0');
  const patterns = [
    '\0\x01exact\0octet\0blksize\x001468\0',
    '\0\x02x\0octet\0',
    '\0\x04\0\x01',
    '\0\x05\0\x01no\0',
  ];
  for (let i = 0; i < 3000; i++) {
    const toTransfer = i % 3 === 0;
    const pattern = Buffer.from(patterns[i % patterns.length] ?? '');
    client.socket.send(mutate(pattern, random), toTransfer ? first.port : server.port, host);
    if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [command, args] = clients['curl']?.('snponly.efi') ?? ['', []];
  await execute(command, args, { timeout: 5000 });
  expect(await readFile(local)).toEqual(loader);
});
