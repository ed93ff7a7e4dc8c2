import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressOf, optionsOf, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';
import { type JsonLinesProcess, startJsonLines } from '#test/support/json-lines-process.ts';
import { createNetwork, type NetworkNamespace } from '#test/support/network-namespace.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';
import { type Campaign, type CampaignContext, createTally, type Tally } from './campaign.ts';
import type { NetbootServerLine } from './lab/netboot-server.ts';

/** Of each protocol; reliability goal 1. */
const datagrams = 1_000_000;
/** The receive buffer holds some three hundred; what it drops would prove nothing. */
const onTheWay = 200;
/** At once, when everything is delivered; with a limit of points fewer: then it is a test among others. */
const clientsOf = ({ limit }: CampaignContext) => (limit === undefined ? 100 : 20);
/** How long one real client may take after the flood; reliability goal 1. */
const clientMs = 2000;
const drainEveryMs = 3000;
const growthLimit = 20e6;

export const netboot: Campaign = {
  name: 'netboot',
  goal: 'a million damaged DHCP and TFTP datagrams each, some from port 0, all delivered, DHCP in both modes: no crash, less than 20 MB more memory, a real client is served within 2 s afterwards, and 100 at once',
  async run(context) {
    const tally = createTally();
    const file = path.join(context.folder, 'loader');
    fs.writeFileSync(file, randomBytes(1 << 20));
    await attack(context, tally, file, 'reservation');
    await attack(context, tally, file, 'proxy');
    return tally.result();
  },
};

/** TFTP is the same in both modes, and we give addresses in one only. */
async function attack(
  context: CampaignContext,
  tally: Tally,
  file: string,
  mode: 'reservation' | 'proxy',
): Promise<void> {
  await using lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    // One of the machines that have an address of their own, behind those of `leaseForAll`.
    source: { address: '10.77.0.9/24', mac: '52:54:01:00:00:64' },
  });
  const { server, source } = lan.members;
  const service = startJsonLines<NetbootServerLine>(server, scriptOf('lab/netboot-server.ts'), {
    mode,
    file,
  });
  await service.waitFor(() => true);
  // What the just-in-time compiler and the buffers take is no leak: the first tenth is not counted.
  const count = Math.max(1000, context.limit ?? datagrams);
  const protocols = mode === 'reservation' ? (['dhcp', 'tftp'] as const) : (['dhcp'] as const);
  for (const protocol of protocols) {
    await bombard(context, tally, { protocol, count, mode, service, source });
    await serveRealClients(tally, source, { after: `${protocol} in ${mode} mode`, mode });
  }
  await sleep(500);
  const last = service.values.at(-1);
  if (last !== undefined && last.failed > 0) {
    tally.violation(`${mode}: ${last.failed} failures, e.g. ${last.reasons.join('; ')}`);
  }
  if (mode === 'proxy') return;
  const clients = clientsOf(context);
  await leaseForAll(tally, source, clients);
  await downloadForAll(tally, source, { folder: context.folder, file, clients });
}

/** Programs of others, each with its own idea of a lease and of a transfer. */
async function serveRealClients(
  tally: Tally,
  member: NetworkNamespace,
  { after, mode }: { readonly after: string; readonly mode: 'reservation' | 'proxy' },
): Promise<void> {
  const udhcpc = ['udhcpc', '-i eth0 -f -n -q -t 2 -T 1 -s /bin/true'] as const;
  const curl = ['curl', '-sS --tftp-blksize 1468 -o /dev/null tftp://10.77.0.1/loader'] as const;
  for (const [program, args] of mode === 'reservation' ? [udhcpc, curl] : [curl]) {
    const startedAt = performance.now();
    const { code, stderr } = await member.run(program, args.split(' '), { seconds: 10 });
    const ms = Math.round(performance.now() - startedAt);
    tally.figure(`after ${after}: ${program}, ms`, ms);
    if (code !== 0) tally.violation(`after ${after}: ${program} ended with ${code}: ${stderr.trim()}`);
    else if (ms > clientMs)
      tally.violation(`after ${after}: ${program} took ${ms} ms, more than ${clientMs}`);
    else tally.outcome(`real clients served within ${clientMs / 1000} s`);
  }
}

interface Bombardment {
  readonly protocol: 'dhcp' | 'tftp';
  readonly count: number;
  readonly mode: 'reservation' | 'proxy';
  readonly service: JsonLinesProcess<NetbootServerLine>;
  readonly source: NetworkNamespace;
}

async function bombard(
  { seed, progress }: CampaignContext,
  tally: Tally,
  { protocol, count, mode, service, source }: Bombardment,
): Promise<void> {
  const what = `${protocol}, ${mode}`;
  const deliveredNow = () => service.values.at(-1)?.delivered ?? 0;
  const lateNow = () => service.values.at(-1)?.late ?? 0;
  const before = {
    delivered: deliveredNow(),
    dropped: service.values.at(-1)?.dropped ?? 0,
    late: lateNow(),
  };
  const sender = startJsonLines<{ sent: number }>(source, scriptOf('lab/datagram-source.ts'), {
    protocol,
    seed,
  });
  await sender.waitFor(() => true);
  const startedAt = performance.now();
  let [saidAt, movedAt, drainedAt, delivered, warm, gone] = [startedAt, startedAt, startedAt, 0, 0, 0];
  const handled = () => deliveredNow() - before.delivered + lateNow() - before.late;
  while (delivered < count) {
    // What waits in the socket of a transfer when it ends is gone, and in no counter of the kernel: now and then all
    // that is on the way is waited for, and what is missing then is gone.
    if (performance.now() - drainedAt > drainEveryMs) {
      await drain(service);
      gone = (sender.values.at(-1)?.sent ?? 0) - handled();
      drainedAt = performance.now();
    }
    sender.send({ allowed: handled() + gone + onTheWay });
    await sleep(5);
    const now = deliveredNow() - before.delivered;
    if (now > delivered) movedAt = performance.now();
    delivered = now;
    if (warm === 0 && delivered > count / 10) warm = service.values.at(-1)?.rssBytes ?? 0;
    if (performance.now() - movedAt > 10_000) {
      tally.violation(`${what}: after ${delivered} of ${count} nothing was delivered any more`);
      break;
    }
    if (performance.now() - saidAt > 5000) {
      saidAt = performance.now();
      const rate = delivered / ((saidAt - startedAt) / 1000);
      progress(
        `${what}: ${delivered} of ${count}, ${rate.toFixed(0)} a second, ${Math.round((service.values.at(-1)?.rssBytes ?? 0) / 1e6)} MB, ${Math.round((count - delivered) / rate)} s left`,
      );
    }
  }
  await sender.stop();
  const dropped = (service.values.at(-1)?.dropped ?? 0) - before.dropped;
  tally.outcome(`${what}: delivered`, Math.min(delivered, count));
  if (dropped > 0)
    tally.violation(`${what}: the kernel dropped ${dropped} datagrams, which proves nothing about them`);
  const growth = (service.values.at(-1)?.rssBytes ?? 0) - warm;
  tally.figure(`${what}: memory growth after the first tenth, MB`, (growth / 1e6).toFixed(1));
  tally.figure(`${what}: a second`, Math.round(delivered / ((performance.now() - startedAt) / 1000)));
  if (growth > growthLimit) tally.violation(`${what}: the service grew by ${(growth / 1e6).toFixed(1)} MB`);
}

/**
 * Until the server has said twenty times that nothing more came: it reads its sockets between two lines. A dead one says
 * nothing.
 */
async function drain(service: JsonLinesProcess<NetbootServerLine>): Promise<void> {
  const until = performance.now() + 10_000;
  for (let [same, seen, delivered] = [0, service.values.length, -1]; same < 20; ) {
    if (performance.now() > until) return;
    await sleep(5);
    const last = service.values.at(-1)?.delivered ?? 0;
    same = last === delivered ? same + service.values.length - seen : 0;
    [seen, delivered] = [service.values.length, last];
  }
}

/** DISCOVER to ACK for many machines at once, each address probed before it is offered; reliability goal 7. */
async function leaseForAll(tally: Tally, member: NetworkNamespace, clients: number): Promise<void> {
  const argument = { ports: [68], address: '10.77.0.9' };
  const peer = startJsonLines<PeerDatagram>(
    member,
    new URL('../../test/support/udp-peer.ts', import.meta.url),
    argument,
  );
  await peer.waitFor(({ from }) => from === 'ready');
  const leases = new Map<number, string>();
  const startedAt = performance.now();
  const send = (bytes: Buffer) =>
    peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex: bytes.toString('hex') });
  const macOf = (number: number) => `52:54:01:00:00:${number.toString(16).padStart(2, '0')}`;
  const base = 0x70000000;
  for (let number = 0; number < clients; number++) {
    send(request({ type: 1, xid: base + number, flags: 0x8000, mac: macOf(number), options: uefiOptions }));
  }
  let seen = 0;
  while (leases.size < clients && performance.now() - startedAt < 10_000) {
    for (; seen < peer.values.length; seen++) {
      const reply = Buffer.from(peer.values[seen]?.hex ?? '', 'hex');
      const number = reply.length < 240 ? -1 : reply.readUInt32BE(4) - base;
      if (number < 0 || number >= clients) continue;
      const address = addressOf(reply, 16);
      const [type] = optionsOf(reply).get(53) ?? [];
      if (type === 5) leases.set(number, address);
      if (type !== 2) continue;
      const options = [[54, '10.77.0.1'], [50, address], ...uefiOptions] as const;
      send(request({ type: 3, xid: base + number, flags: 0x8000, mac: macOf(number), options }));
    }
    await sleep(2);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await peer.stop();
  tally.outcome('machines with a lease', leases.size);
  tally.figure(`${clients} leases at once, s`, seconds.toFixed(2));
  const addresses = new Set(leases.values());
  if (leases.size < clients) tally.violation(`${leases.size} of ${clients} machines got a lease in 10 s`);
  if (addresses.size !== leases.size)
    tally.violation(`${leases.size - addresses.size} addresses were given twice`);
  if (seconds > 1) tally.violation(`${clients} leases took ${seconds.toFixed(2)} s, more than 1 s`);
}

/** 1 MiB for many clients at once. */
async function downloadForAll(
  tally: Tally,
  member: NetworkNamespace,
  { folder, file, clients }: { readonly folder: string; readonly file: string; readonly clients: number },
): Promise<void> {
  const startedAt = performance.now();
  const runs = Array.from({ length: clients }, async (_, number) => {
    const target = path.join(folder, `download-${number}`);
    const args = ['-sS', '--tftp-blksize', '1468', '-o', target, 'tftp://10.77.0.1/loader'];
    const { code } = await member.run('curl', args, { seconds: 60 });
    return code === 0 && fs.readFileSync(target).equals(fs.readFileSync(file));
  });
  const whole = (await Promise.all(runs)).filter(Boolean).length;
  const seconds = (performance.now() - startedAt) / 1000;
  tally.outcome('whole downloads', whole);
  tally.figure(`${clients} downloads of 1 MiB at once, s`, seconds.toFixed(1));
  if (whole < clients) tally.violation(`${clients - whole} of ${clients} downloads failed or differ`);
  if (seconds > 10) tally.violation(`${clients} downloads took ${seconds.toFixed(1)} s, more than 10 s`);
}

function scriptOf(name: string): URL {
  return new URL(`./${name}`, import.meta.url);
}
