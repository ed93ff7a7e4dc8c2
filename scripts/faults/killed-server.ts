import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatImageRef } from '#images/format/image-name.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import { captureImageOf, captureKey, somePassportDisk } from '#test/support/capture-image-of.ts';
import { createNetwork, type Network } from '#test/support/network-namespace.ts';
import { MiB, noise, sha256OfFile } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, type Tally } from './campaign.ts';
import type { RestoreJob } from './lab/restore-child.ts';

/**
 * A restore over a slow link whose server dies every two seconds, whose connections are reset, and which hears nothing
 * for ten seconds. What the card received is compared with the same restore without a fault.
 */
const restoreChild = path.join(import.meta.dirname, 'lab/restore-child.ts');
const storeServer = path.join(import.meta.dirname, 'lab/store-server.ts');
const address = '10.78.0.1';
const port = 8080;
const killEveryMs = 2000;

type Lan = Network<'server' | 'station'>;

export const killedServer: Campaign = {
  name: 'killed-server',
  goal: 'server killed every 2 s, connections reset, 10 s of silence: the restore completes, identical, at most 5 % of the bytes fetched again',
  async run(context) {
    const { kills, resets, sizeBytes, rate, silenceMs } = chooseSize(context.limit);
    const inFolder = (name: string): string => path.join(context.folder, name);
    const disk = inFolder('disk.img');
    fs.writeFileSync(disk, noise(`noise ${context.seed}`, sizeBytes));
    fs.mkdirSync(inFolder('store'));
    const image = await captureImageOf(inFolder('store'), [
      { path: disk, passportDisk: somePassportDisk(sizeBytes) },
    ]);
    fs.writeFileSync(inFolder('site.pub'), formatPublicKey(captureKey));
    const job: RestoreJob = {
      store: inFolder('store'),
      publicKeyFile: inFolder('site.pub'),
      ref: formatImageRef(image.name),
      target: inFolder('target.img'),
      workers: 2,
      source: { kind: 'http', url: `http://${address}:${port}` },
    };
    await using lan = await createNetwork({
      server: { address: `${address}/24` },
      station: { address: '10.78.0.2/24' },
    });
    const shape = [
      'qdisc',
      'add',
      'dev',
      'eth0',
      'root',
      'tbf',
      'rate',
      rate,
      'burst',
      '128kb',
      'latency',
      '200ms',
    ];
    const shaped = await lan.members.server.run('tc', shape);
    if (shaped.code !== 0) throw new Error(`tc: ${shaped.stderr}`);

    const tally = createTally();
    context.progress(`restoring ${sizeBytes / MiB} MiB at ${rate} without a fault, for comparison`);
    const plain = await restoreThrough(lan, job, sizeBytes, async () => {});
    if (plain.failure !== null) throw new Error(`the restore without a fault failed: ${plain.failure}`);
    context.progress(
      `the same with ${kills} kills, ${resets} rounds of resets, ${silenceMs / 1000} s of silence`,
    );
    const faulty = await restoreThrough(lan, job, sizeBytes, async (server, isOver) => {
      for (let kill = 0; kill < kills && !isOver(); kill++) {
        await sleep(killEveryMs);
        await server.restart();
        tally.outcome('server killed and started again');
      }
      for (let reset = 0; reset < resets && !isOver(); reset++) {
        await sleep(500);
        const { stdout } = await lan.members.server.run('ss', ['-KnH', 'sport', '=', String(port)]);
        if (stdout.trim() !== '') tally.outcome('all connections reset');
      }
      if (isOver()) return;
      await lan.members.bridge.run('ip', ['link', 'set', 'port0', 'down']);
      await sleep(silenceMs);
      await lan.members.bridge.run('ip', ['link', 'set', 'port0', 'up']);
      tally.outcome(isOver() ? 'silence that came too late' : `${silenceMs / 1000} seconds of silence`);
    });
    judge(tally, { plain, faulty, kills, disk, target: job.target });
    return tally.result();
  },
};

/** A chunk of 1 MiB takes longer than the server lives: without going on in its middle nothing would ever arrive. */
function chooseSize(limit = Number.POSITIVE_INFINITY) {
  if (limit < 10) return { kills: 2, resets: 1, sizeBytes: 24 * MiB, rate: '40mbit', silenceMs: 1000 };
  if (limit < 100) return { kills: 3, resets: 2, sizeBytes: 40 * MiB, rate: '40mbit', silenceMs: 10_000 };
  return { kills: 30, resets: 10, sizeBytes: 208 * MiB, rate: '20mbit', silenceMs: 10_000 };
}

interface Restored {
  readonly seconds: number;
  readonly receivedBytes: number;
  readonly failure: string | null;
}

function judge(
  tally: Tally,
  seen: { plain: Restored; faulty: Restored; kills: number; disk: string; target: string },
): void {
  const { plain, faulty } = seen;
  if (faulty.failure !== null) tally.violation(`the restore did not complete: ${faulty.failure}`);
  else if (sha256OfFile(seen.target) !== sha256OfFile(seen.disk))
    tally.violation('the restored disk is another one');
  const again = faulty.receivedBytes / plain.receivedBytes - 1;
  if (again > 0.05) tally.violation(`${(again * 100).toFixed(1)} % of the bytes were fetched again`);
  if ((tally.result().outcomes['server killed and started again'] ?? 0) < seen.kills)
    tally.violation('the restore was over before all kills: make the disk larger');
  if ((tally.result().outcomes['all connections reset'] ?? 0) === 0)
    tally.violation('no connection was reset: ss -K found none');
  tally.figure('bytes received, more than without a fault', `${(again * 100).toFixed(2)} %`);
  tally.figure('seconds without a fault', Math.round(plain.seconds));
  tally.figure('seconds with the faults', Math.round(faulty.seconds));
}

interface RunningServer {
  /** SIGKILL, and a new one at the same address. */
  restart(): Promise<void>;
}

async function restoreThrough(
  lan: Lan,
  job: RestoreJob,
  sizeBytes: number,
  disturb: (server: RunningServer, isOver: () => boolean) => Promise<void>,
): Promise<Restored> {
  fs.writeFileSync(job.target, '');
  fs.truncateSync(job.target, sizeBytes);
  const { server, station } = lan.members;
  const start = async () => {
    const child = server.spawn(process.execPath, [storeServer, job.store, address, String(port)]);
    await once(child.stdout, 'data');
    return child;
  };
  let child = await start();
  const kill = async (): Promise<void> => {
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  };
  const received = async (): Promise<number> =>
    Number((await station.run('cat', ['/sys/class/net/eth0/statistics/rx_bytes'])).stdout);
  const before = await received();
  const startedAt = performance.now();
  let over = false;
  const restoring = station
    .run(process.execPath, [restoreChild, JSON.stringify(job)], { seconds: 900 })
    .finally(() => {
      over = true;
    });
  const restart = async (): Promise<void> => {
    await kill();
    child = await start();
  };
  await disturb({ restart }, () => over);
  const { code, stderr } = await restoring;
  const seconds = (performance.now() - startedAt) / 1000;
  await kill();
  return {
    seconds,
    receivedBytes: (await received()) - before,
    failure: code === 0 ? null : stderr || `exit ${code}`,
  };
}
