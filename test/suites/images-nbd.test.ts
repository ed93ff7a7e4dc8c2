import fs from 'node:fs';
import net from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { ExportDevice } from '#images/mount/export-device.ts';
import { type NbdServer, serveNbd } from '#images/mount/nbd-server.ts';
import { type ServeOptions, serveImageDisk } from '#images/mount/serve-image-disk.ts';
import { execute } from '#test/support/execute.ts';
import { type StoredDisk, storeDisk } from '#test/support/image-in-store.ts';
import { demoDisk, MiB, makeDemoDisk, makeTemporaryFolder, readAt } from '#test/support/restore-demo-disk.ts';

/** The NBD server against libnbd's and QEMU's clients, and against bytes that no client sends. */

let stored: StoredDisk;
beforeAll(async () => {
  stored = await storeDisk(makeDemoDisk);
});
afterAll(() => stored[Symbol.dispose]());

const unreadable: string[] = [];
const protocolErrors: string[] = [];
beforeEach(() => {
  unreadable.length = 0;
  protocolErrors.length = 0;
});
async function serve(options: ServeOptions = {}): Promise<NbdServer> {
  const server = await serveImageDisk(stored.found, {
    onUnreadable: (error) => unreadable.push(String(error)),
    onProtocolError: (sentence) => protocolErrors.push(sentence),
    ...options,
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

describe('independent clients', () => {
  test('nbdinfo is told a read-only disk that may be read over several connections', async () => {
    const { uri } = await serve();
    const info = JSON.parse((await execute('nbdinfo', '--json', uri)).stdout);
    expect(info).toMatchObject({
      protocol: 'newstyle-fixed',
      structured: true,
      exports: [
        {
          'export-name': '',
          'export-size': demoDisk.sizeBytes,
          is_read_only: true,
          can_multi_conn: true,
          can_df: true,
          contexts: ['base:allocation'],
          block_size_maximum: 32 * MiB,
        },
      ],
    });
    expect((await execute('nbdinfo', '--list', uri)).stdout).toContain('export-size: 100663296');
  });

  test('what is called zeros is zeros, and most of the rest is not', async () => {
    const { uri } = await serve();
    const map = JSON.parse((await execute('nbdinfo', '--map', '--json', uri)).stdout) as {
      offset: number;
      length: number;
      type: number;
    }[];
    expect(map.reduce((sum, { length }) => sum + length, 0)).toBe(demoDisk.sizeBytes);
    expect(new Set(map.map(({ type }) => type))).toEqual(new Set([0, 3]));
    for (const { offset, length, type } of map) {
      const bytes = readAt(stored.expected, offset, length);
      expect(bytes.every((byte) => byte === 0)).toBe(type === 3);
    }
  });

  test('nbdcopy and qemu-img read every byte as it was', async () => {
    const { uri } = await serve({ cacheBytes: 2 * MiB });
    const copy = stored.inFolder('copy.img');
    await execute('nbdcopy', '--requests=64', uri, copy);
    expect(fs.readFileSync(copy).equals(fs.readFileSync(stored.expected))).toBe(true);
    const compared = await execute('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uri, stored.expected);
    expect(compared.stdout).toContain('Images are identical');
  });

  test('QEMU reads odd places, and may write nothing', async () => {
    const { uri } = await serve();
    const at = demoDisk.projects.startByte - 7;
    const read = await execute('qemu-io', '-r', '-f', 'raw', '-c', `read -v ${at} 16`, uri);
    const hex = readAt(stored.expected, at, 16).toString('hex').replaceAll(/../g, '$& ').trim();
    expect(read.stdout).toContain(hex);
    const write = await execute('qemu-io', '-f', 'raw', '-c', 'write 0 512', uri);
    expect(write.code).not.toBe(0);
    expect(write.stderr + write.stdout).toMatch(/read.only|permission/i);
  });

  test('a damaged chunk is an error where it lies, is named once, and the rest is read', async () => {
    const damaged = stored.damagedAt(MiB + 5);
    await using server = await serveImageDisk(damaged.found, {
      onUnreadable: (error) => unreadable.push(String(error)),
    });
    const readOf = (place: number) =>
      execute('qemu-io', '-r', '-f', 'raw', '-c', `read ${place} 4096`, server.uri);
    for (const place of [MiB, MiB + 8192, MiB])
      expect((await readOf(place)).stdout).toContain('read failed: Input/output error');
    for (const place of [0, MiB - 4096, 2 * MiB, demoDisk.root.startByte + 2048])
      expect((await readOf(place)).stdout).toContain('read 4096/4096 bytes');
    const across = await readOf(2 * MiB - 2048);
    expect(across.stdout).toContain('Input/output error');
    expect(unreadable).toHaveLength(1);
    expect(unreadable[0]).toContain(damaged.chunk);
  });

  test('nobody else may open the socket, and it is gone afterwards', async () => {
    const server = await serve();
    expect(fs.statSync(server.socket).mode & 0o077).toBe(0);
    await server[Symbol.asyncDispose]();
    expect(fs.existsSync(server.socket)).toBe(false);
    await expect(serve({ socket: `/tmp/${'long'.repeat(30)}` })).rejects.toThrow('too long');
  });
});

/** Bytes of the protocol, typed from its document. */
const hex = (...parts: (string | number | bigint)[]): Buffer =>
  Buffer.from(parts.join('').replaceAll(/[^0-9a-f]/g, ''), 'hex');
const u16 = (value: number): string => value.toString(16).padStart(4, '0');
const u32 = (value: number): string => value.toString(16).padStart(8, '0');
const u64 = (value: number | bigint): string => value.toString(16).padStart(16, '0');
const fixedNewstyle = hex(u32(1));
const option = (number: number, data = ''): Buffer =>
  hex('49484156454f5054', u32(number), u32(data.length / 2), data);
const go = option(7, `${u32(0)}${u16(0)}`);
const request = (type: number, offset: number | bigint, length: number, flags = 0): Buffer =>
  hex('25609513', u16(flags), u16(type), '00000000cafef00d', u64(offset), u32(length));
const simpleReply = (error: number): string => `67446698${u32(error)}00000000cafef00d`;

/** A client that says what it is told and keeps all that comes back. */
async function rawClient({ socket }: NbdServer) {
  const client = net.connect(socket);
  onTestFinished(() => void client.destroy());
  let received = Buffer.alloc(0);
  let changed = (): void => {};
  let ended = false;
  client.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    changed();
  });
  client.on('error', () => {});
  client.on('close', () => {
    ended = true;
    changed();
  });
  const change = (): Promise<void> =>
    new Promise((resolve) => {
      changed = resolve;
    });
  return {
    pause: () => client.pause(),
    /** Takes all that comes and keeps none of it. */
    drop: () => client.removeAllListeners('data').resume(),
    send: (...parts: Buffer[]) => client.write(Buffer.concat(parts)),
    /** The next bytes, or those that came before the server hung up. */
    async take(bytes: number): Promise<string> {
      while (received.length < bytes && !ended) await change();
      const taken = received.subarray(0, bytes).toString('hex');
      received = received.subarray(bytes);
      return taken;
    },
    async hungUp(): Promise<true> {
      while (!ended) await change();
      return true;
    },
  };
}
const greeting = '4e42444d4147494349484156454f50540003';
/** Answer to NBD_OPT_GO: export, block sizes, acknowledgement. */
const goAnswerBytes = 20 + 12 + (20 + 14) + 20;

async function connected(server: NbdServer) {
  const client = await rawClient(server);
  client.send(fixedNewstyle, go);
  expect(await client.take(18)).toBe(greeting);
  const answer = await client.take(goAnswerBytes);
  expect(answer.slice(0, 64)).toBe(
    `0003e889045565a9${u32(7)}${u32(3)}${u32(12)}${u16(0)}${u64(demoDisk.sizeBytes)}${u16(0x183)}`,
  );
  expect(answer.slice(-40)).toBe(`0003e889045565a9${u32(7)}${u32(1)}${u32(0)}`);
  return client;
}

describe('a client of the plain protocol', () => {
  test('reads without structured replies', async () => {
    const client = await connected(await serve());
    const at = demoDisk.root.startByte + 1024;
    client.send(request(0, at, 300), request(0, 5 * MiB - 1, 0));
    const replies = await client.take(16 + 300 + 16);
    expect(replies).toContain(simpleReply(0) + readAt(stored.expected, at, 300).toString('hex'));
    expect(replies.split(simpleReply(0))).toHaveLength(3);
  });

  test('negotiates the old way, with the zeroes it did not refuse', async () => {
    const client = await rawClient(await serve());
    client.send(fixedNewstyle, option(1), request(0, 0, 4));
    await client.take(18);
    expect(await client.take(10 + 124)).toBe(`${u64(demoDisk.sizeBytes)}${u16(0x183)}${'00'.repeat(124)}`);
    expect(await client.take(20)).toBe(simpleReply(0) + readAt(stored.expected, 0, 4).toString('hex'));
  });

  test.each([
    ['a read that begins at the end', request(0, demoDisk.sizeBytes, 1), 22],
    ['a read over the end', request(0, demoDisk.sizeBytes - 10, 11), 22],
    ['a read at the largest number', request(0, 0xffff_ffff_ffff_ffffn, 512), 22],
    ['a read of more than 32 MiB', request(0, 0, 33 * MiB), 75],
    ['a read with a flag that was not offered', request(0, 0, 512, 1), 22],
    ['a write', Buffer.concat([request(1, 0, 512), Buffer.alloc(512, 7)]), 1],
    ['a write of zeroes', request(6, 0, 512), 22],
    ['a trim', request(4, 0, 512), 22],
    ['block status without its context', request(7, 0, 512), 22],
    ['a command that does not exist', request(4711, 0, 0), 22],
  ])('%s is refused, and the next read is answered', async (_, bad, errno) => {
    const client = await connected(await serve());
    client.send(bad);
    expect(await client.take(16)).toBe(simpleReply(errno));
    client.send(request(0, 512, 8));
    expect(await client.take(24)).toBe(simpleReply(0) + readAt(stored.expected, 512, 8).toString('hex'));
    expect(protocolErrors).toEqual([]);
  });

  test('a disconnect is answered by hanging up', async () => {
    const client = await connected(await serve());
    client.send(request(2, 0, 0));
    expect(await client.hungUp()).toBe(true);
    expect(protocolErrors).toEqual([]);
  });
});

describe('what no client says', () => {
  test.each([
    ['unknown flags', [hex('80000001')], 'client flags'],
    ['a client of the oldest protocol', [hex('00000000')], 'client flags'],
    ['no option at all', [fixedNewstyle, Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'does not begin as one'],
    ['an option of 4 GiB', [fixedNewstyle, hex('49484156454f5054', u32(7), 'ffffffff')], '4294967295 bytes'],
    ['an export that does not exist, the old way', [fixedNewstyle, option(1, '6161')], 'no export "aa"'],
    ['endless options', [fixedNewstyle, ...Array.from({ length: 300 }, () => option(99))], '256 options'],
    ['no request', [fixedNewstyle, go, Buffer.alloc(28, 0x41)], 'does not begin as one'],
    ['a write of 4 GiB', [fixedNewstyle, go, request(1, 0, 0xffff_ffff)], 'a write of 4294967295'],
  ])('%s: the connection is cut, and the reason told', async (_, parts, reason) => {
    const server = await serve();
    const other = await connected(server);
    const client = await rawClient(server);
    client.send(...parts);
    expect(await client.hungUp()).toBe(true);
    expect(protocolErrors).toHaveLength(1);
    expect(protocolErrors[0]).toContain(reason);
    other.send(request(0, 512, 8));
    expect(await other.take(24)).toBe(simpleReply(0) + readAt(stored.expected, 512, 8).toString('hex'));
  });

  test.each([
    ['lengths that do not add up', option(7, `${u32(400)}${u16(0)}`), 0x80000003],
    ['an export that does not exist', option(7, `${u32(2)}6161${u16(0)}`), 0x80000006],
    ['TLS', option(5), 0x80000001],
    ['an option that does not exist', option(4711), 0x80000001],
    ['contexts before structured replies', option(10, `${u32(0)}${u32(0)}`), 0x80000003],
    ['a list with data', option(3, '61'), 0x80000003],
  ])('%s: refused by name, and the talk goes on', async (_, bad, type) => {
    const client = await rawClient(await serve());
    client.send(fixedNewstyle, bad);
    await client.take(18);
    const answer = await client.take(20);
    expect(answer.slice(24, 32)).toBe(u32(type));
    await client.take(Number.parseInt(answer.slice(32), 16));
    client.send(go);
    expect((await client.take(goAnswerBytes)).slice(-40)).toBe(`0003e889045565a9${u32(7)}${u32(1)}${u32(0)}`);
  });

  test('a client that asks for much and takes nothing is served no more than 64 MiB', async () => {
    using folder = makeTemporaryFolder();
    let reads = 0;
    const device: ExportDevice = {
      sizeBytes: demoDisk.sizeBytes,
      async read(_, length) {
        reads += 1;
        return [{ kind: 'data', bytes: Buffer.alloc(length) }];
      },
      extents: () => [],
    };
    await using server = await serveNbd(device, `${folder.path}/nbd`);
    const client = await connected(server);
    client.pause();
    client.send(...Array.from({ length: 500 }, () => request(0, 0, 8 * MiB)));
    await expect.poll(() => reads).toBe(8);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(reads).toBe(8);
    client.drop();
    await expect.poll(() => reads, { timeout: 20_000 }).toBeGreaterThan(8);
  });
});
