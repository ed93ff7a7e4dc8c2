import fs from 'node:fs';
import path from 'node:path';
import { formatImageName, formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { announceReading } from '#images/stores/announce-reading.ts';
import { collectGarbage } from '#images/upkeep/gc.ts';
import { type Campaign, createTally, forEachPoint, spread } from './campaign.ts';
import { pruneAll, readerMs } from './lab/prune-child.ts';
import { fillFrom, makeSmallStore } from './lab/small-store.ts';
import { judgeStore } from './lab/store-judge.ts';
import { listCallPoints, runWithFault } from './lab/traced-run.ts';

/**
 * kill -9 at every rename, removal and flush of a prune that is told to remove two images, one of which somebody
 * restores: no image is ever half there, a gc takes nothing from the hidden ones, and the next prune leaves the image
 * that is restored and the newest one, whole.
 */
const pruneChild = path.join(import.meta.dirname, 'lab/prune-child.ts');
/** Not `write`: most are the event loop's own, and a kill at one that fills a file is one before its flush. */
const calls = ['rename', 'unlink', 'rmdir', 'mkdir', 'fsync'];

export const killPrune: Campaign = {
  name: 'kill-prune',
  goal: 'kill -9 at every rename, removal and write of a prune: images are whole or gone, what is restored stays',
  async run(context) {
    const full = await makeSmallStore(context.folder);
    const [restored, unwanted, newest] = full.names as [ImageName, ImageName, ImageName];
    const reading = await announceReading(full.path, restored, 'a restore', []);
    if (reading.kind !== 'announced') throw new Error(reading.reason);
    reading.announcement.leave();
    const store = path.join(context.folder, 'store');
    const child = [pruneChild, store, ...[restored, unwanted].map(formatImageName)];
    const tally = createTally();

    fillFrom(full, store);
    const { run, points } = await listCallPoints(child, calls, path.join(context.folder, 'trace.log'));
    if (run.status !== 0) throw new Error(`the prune without a fault failed: ${run.stderr}`);
    const wanted = [restored, newest].map(formatImageRef);
    const pruned = await judgeStore(store, full.key);
    if (pruned.whole.join() !== wanted.join())
      throw new Error(`the prune without a fault left ${pruned.whole.join()}`);

    await forEachPoint(context, 'kill at a call of a prune', spread(points, context.limit), async (point) => {
      const where = `prune killed at ${point.call} ${point.when}`;
      fillFrom(full, store);
      const { status } = await runWithFault(child, point, 'signal=KILL');
      const killed = await judgeStore(store, full.key);
      for (const sentence of [...killed.broken, ...killed.badChunks])
        tally.violation(`${where}: ${sentence}`);
      if (!killed.whole.includes(formatImageRef(newest)))
        tally.violation(`${where}: the newest image is gone`);
      if (status === 0) return;
      // Young chunks, too: what a hidden image needs has to stay by itself.
      const young = { graceMs: -1000, silentMs: readerMs, ignoreDamaged: [], dryRun: false };
      await collectGarbage({ store, publicKey: full.key, ...young });
      await pruneAll(store, []);
      const after = await judgeStore(store, full.key);
      for (const sentence of after.broken) tally.violation(`${where}, then gc and prune: ${sentence}`);
      for (const ref of wanted)
        if (!after.whole.includes(ref)) tally.violation(`${where}: ${ref} is gone after gc and prune`);
      const left = fs.readdirSync(path.join(store, 'images/A')).filter((name) => name.startsWith('.'));
      if (left.length > 0) tally.violation(`${where}: the next prune left ${left.join()}`);
      tally.outcome(`killed at ${point.call}: whole or gone, the next prune completes`);
    });
    return tally.result();
  },
};
