import fs from 'node:fs';
import path from 'node:path';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { copyImages } from '#images/upkeep/copy.ts';
import { type Campaign, createTally, forEachPoint, spread } from './campaign.ts';
import { copyAll } from './lab/copy-child.ts';
import { fillFrom, makeSmallStore } from './lab/small-store.ts';
import { judgeStore } from './lab/store-judge.ts';
import { listCallPoints, runWithFault } from './lab/traced-run.ts';

/**
 * kill -9 at every write, flush, rename and new folder of a copy to a second store that holds one of three images: the
 * target never lists an image that lacks something, nothing that was there is lost, the source is not touched, and the
 * next copy sends what is missing and nothing twice.
 */
const copyChild = path.join(import.meta.dirname, 'lab/copy-child.ts');
/** Not `write`: most are the event loop's own, and a kill at one that fills a file is one before its flush. */
const calls = ['rename', 'unlink', 'rmdir', 'mkdir', 'fsync'];

export const killCopy: Campaign = {
  name: 'kill-copy',
  goal: 'kill -9 at every write, flush and rename of a copy: no image that lacks something, the next copy completes',
  async run(context) {
    const source = await makeSmallStore(context.folder);
    const publicKey = source.key;
    const [first] = source.names as [ImageName];
    const begun = path.join(context.folder, 'begun-store');
    fs.mkdirSync(begun);
    await copyImages({ from: source.path, to: begun, publicKey, names: [first] });
    const target = path.join(context.folder, 'store');
    const fill = (): void => fillFrom({ ...source, path: begun }, target);
    const child = [copyChild, source.path, target, source.publicKeyFile];
    const tally = createTally();
    const before = contentOf(source.path);

    fill();
    const { run, points } = await listCallPoints(child, calls, path.join(context.folder, 'trace.log'));
    if (run.status !== 0) throw new Error(`the copy without a fault failed: ${run.stderr}`);
    const copied = await judgeStore(target, publicKey);
    if (copied.whole.length !== source.names.length) throw new Error('the copy without a fault is not whole');

    let sentTwice = 0;
    await forEachPoint(context, 'kill at a call of a copy', spread(points, context.limit), async (point) => {
      const where = `copy killed at ${point.call} ${point.when}`;
      fill();
      const { status } = await runWithFault(child, point, 'signal=KILL');
      const killed = await judgeStore(target, publicKey);
      for (const sentence of [...killed.broken, ...killed.badChunks])
        tally.violation(`${where}: ${sentence}`);
      if (!killed.whole.includes(formatImageRef(first)))
        tally.violation(`${where}: an image that was there is gone`);
      if (contentOf(source.path) !== before) tally.violation(`${where}: the source has changed`);
      if (status === 0) return;
      const again = await copyAll(source.path, target, source.publicKeyFile);
      const sent = again.reduce((sum, { sentChunks }) => sum + sentChunks, 0);
      sentTwice += Math.max(0, killed.chunks + sent - copied.chunks);
      const after = await judgeStore(target, publicKey);
      if (after.whole.join() !== copied.whole.join() || after.chunks !== copied.chunks)
        tally.violation(`${where}: the next copy left ${after.whole.join()} with ${after.chunks} chunks`);
      tally.outcome(`killed at ${point.call}: no image lacks anything, the next copy completes`);
    });
    if (sentTwice > 0) tally.violation(`${sentTwice} chunks were sent twice`);
    tally.figure('chunks sent twice', sentTwice);
    return tally.result();
  },
};

/** Names and bytes of everything in a folder; announcements of readers come and go. */
function contentOf(folder: string): string {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .filter((name) => fs.statSync(path.join(folder, name)).isFile())
    .map((name) => `${name} ${fs.readFileSync(path.join(folder, name)).toString('base64')}`)
    .join('\n');
}
