import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { DhcpEvent } from '#pxe-server/dhcp/dhcp-event.ts';
import type { TftpEvent } from '#pxe-server/tftp/tftp-event.ts';
import { startTftpServer } from '#pxe-server/tftp/tftp-server.ts';
import { type RequestFields, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';
import { startDhcp } from '#test/support/dhcp-lan.ts';
import { startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork } from '#test/support/network-namespace.ts';
import { openRawSender } from '#test/support/raw-datagrams.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

const address = '127.0.0.1';
const nobody = { address, port: 0 };
/** A socket of the loopback interface cannot send there: the kernel refuses. */
const unreachable = { address: '192.0.2.1', port: 4000 };
const ask = Buffer.from('\0\x01loader\0octet\0');
const ack = (block: number) => Buffer.from([0, 4, 0, block]);

async function serve(singlePort: boolean) {
  const events: TftpEvent[] = [];
  const server = await startTftpServer({
    ...{ address, port: 0, singlePort },
    files: new Map([['loader', { bytes: Buffer.alloc(512 * 40) }]]),
    onEvent: (event) => void events.push(event),
  });
  const raw = openRawSender();
  const client = createSocket('udp4').bind(0, address);
  await once(client, 'listening');
  onTestFinished(async () => {
    raw[Symbol.dispose]();
    client.close();
    await server.close();
  });
  const say = async (bytes: Buffer, port: number) => {
    const answer = once(client, 'message', { signal: AbortSignal.timeout(2000) });
    client.send(bytes, port, address);
    const [message, from] = (await answer) as [Buffer, { port: number }];
    return { block: message.readUInt16BE(2), port: from.port };
  };
  return { raw, say, events, port: server.port };
}

test.each([false, true])(
  'datagrams from port 0, and strangers that cannot be answered, end no transfer (single port: %s)',
  async (singlePort) => {
    const { raw, say, events, port } = await serve(singlePort);
    const { port: transfer } = await say(ask, port);
    for (const from of [nobody, unreachable]) {
      for (const bytes of [
        ack(1),
        ask,
        Buffer.from('\0\x02loader\0octet\0'),
        Buffer.from('\0\x01x\0octet\0'),
      ]) {
        await raw.send(bytes, from, { address, port: transfer });
        await raw.send(bytes, from, { address, port });
      }
    }
    for (let block = 1; block <= 40; block++) {
      expect(await say(ack(block), transfer)).toEqual({ block: block + 1, port: transfer });
    }
    const unexpected = events.filter(
      (event) => event.event === 'failed' && !event.doing.includes(unreachable.address),
    );
    expect(unexpected).toEqual([]);
    expect(events).toContainEqual({
      ...{ event: 'ignored', client: `${address}:0` },
      reason: 'it comes from port 0, where no answer can go',
    });
  },
);

test('DHCP and the boot server leave a request from port 0 alone and answer the next', async () => {
  await using lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    client: { address: '10.77.0.9/24' },
  });
  const { server, client } = lan.members;
  const service = await startDhcp(server, { mode: 'proxy', stations: { '52:54:00:00:00:01': '10.77.0.20' } });
  const discover = request({ type: 1, options: uefiOptions });
  const sender = new URL('../support/raw-datagrams-process.ts', import.meta.url).pathname;
  for (const [port, from] of [
    [67, 0],
    [4011, 0],
    [4011, 4011],
  ] as const) {
    const endpoints = [
      { address: '10.77.0.9', port: from },
      { address: '10.77.0.1', port },
    ];
    const argument = JSON.stringify([discover.toString('hex'), ...endpoints]);
    expect(await client.run(process.execPath, [sender, argument])).toMatchObject({ code: 0 });
  }
  await service.waitFor(({ event }) => event === 'replied');
  expect(service.values.map(({ event }) => event)).toEqual(['listening', 'ignored', 'ignored', 'replied']);
  expect(await service.stop()).toBe(0);
});

test('answers that wait for relays which nobody has hold up nobody else, and are not kept without end', async () => {
  await using lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    client: { address: '10.77.0.9/24' },
  });
  const { server, client } = lan.members;
  const mac = '52:54:00:00:00:01';
  const service = await startDhcp(server, { mode: 'proxy', stations: { [mac]: '10.77.0.20' } });
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  const peer = startJsonLines<PeerDatagram>(client, script, { ports: [68], address: '10.77.0.9' });
  await peer.waitFor(({ from }) => from === 'ready');
  const discover = (more: Partial<RequestFields>) => {
    const hex = request({ type: 1, mac, options: uefiOptions, ...more }).toString('hex');
    peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex });
  };
  // Each waits in the kernel until ARP has given up, 3 s; a socket holds some 280.
  for (let count = 0; count < 1500; count++) {
    discover({ giaddr: `10.77.0.${100 + (count % 100)}` });
    if (count % 100 === 99) await sleep(20);
  }
  const isNoted = (event: DhcpEvent) =>
    event.event === 'ignored' && event.reasons.some((reason) => reason.includes('too many answers wait'));
  await service.waitFor(isNoted);
  const startedAt = performance.now();
  discover({ xid: 0x77 });
  await peer.waitFor(({ hex }) => hex.slice(8, 16) === '00000077');
  expect(performance.now() - startedAt).toBeLessThan(1000);
});
