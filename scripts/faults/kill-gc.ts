import fs from 'node:fs';
import path from 'node:path';
import { parsePublicKey } from '#images/format/minisign.ts';
import { imageFolder } from '#images/stores/image-folder.ts';
import { captureImageOf, captureStation, somePassportDisk } from '#test/support/capture-image-of.ts';
import { MiB, noise } from '#test/support/restore-demo-disk.ts';
import { type Campaign, createTally, forEachPoint, spread } from './campaign.ts';
import { collectAll } from './lab/gc-child.ts';
import { makeStation } from './lab/station.ts';
import { judgeStore } from './lab/store-judge.ts';
import { listCallPoints, runWithFault } from './lab/traced-run.ts';

/**
 * kill -9 at every rename, removal and flush of a gc: every image stays whole, and the next gc leaves exactly the
 * chunks that a gc leaves which nobody killed.
 */
const gcChild = path.join(import.meta.dirname, 'lab/gc-child.ts');
const calls = ['rename', 'unlink', 'rmdir', 'mkdir', 'fsync', 'pwrite64', 'write'];
const garbageChunks = 24;

export const killGc: Campaign = {
  name: 'kill-gc',
  goal: 'kill -9 at every rename, removal and write of a gc: every image stays whole, the next gc completes',
  async run(context) {
    const station = await makeStation(path.join(context.folder, 'station'));
    const key = parsePublicKey(fs.readFileSync(station.publicKeyFile, 'utf8'));
    const full = path.join(context.folder, 'full-store');
    const store = path.join(context.folder, 'store');
    fs.cpSync(station.store, full, { recursive: true });
    await addGarbage(full, path.join(context.folder, 'garbage.img'));
    const fill = (): void => {
      fs.rmSync(store, { recursive: true, force: true });
      fs.cpSync(full, store, { recursive: true });
    };
    const child = [gcChild, store, station.publicKeyFile];
    const tally = createTally();

    fill();
    const { run, points } = await listCallPoints(child, calls, path.join(context.folder, 'trace.log'));
    if (run.status !== 0) throw new Error(`the gc without a fault failed: ${run.stderr}`);
    const swept = await judgeStore(store, key);
    if (swept.whole.length !== 1) throw new Error('the gc without a fault broke the image');

    await forEachPoint(context, 'kill at a call of a gc', spread(points, context.limit), async (point) => {
      const where = `gc killed at ${point.call} ${point.when}`;
      fill();
      const { status } = await runWithFault(child, point, 'signal=KILL');
      const killed = await judgeStore(store, key);
      for (const sentence of [...killed.broken, ...killed.badChunks])
        tally.violation(`${where}: ${sentence}`);
      if (killed.whole.length !== 1) tally.violation(`${where}: the image is gone`);
      if (status === 0) return;
      await collectAll(store, station.publicKeyFile).catch((error: unknown) =>
        tally.violation(`${where}: the next gc failed: ${String(error)}`),
      );
      const after = await judgeStore(store, key);
      if (after.whole.length !== 1 || after.broken.length > 0)
        tally.violation(`${where}: the next gc broke the image`);
      if (after.chunks !== swept.chunks)
        tally.violation(`${where}: the next gc left ${after.chunks} chunks, not ${swept.chunks}`);
      tally.outcome(`killed at ${point.call}: images whole, the next gc completes`);
    });
    return tally.result();
  },
};

/** Chunks that no image names: those of an image that was removed. */
async function addGarbage(store: string, disk: string): Promise<void> {
  fs.writeFileSync(disk, noise('garbage', garbageChunks * MiB));
  const source = { path: disk, passportDisk: somePassportDisk(garbageChunks * MiB) };
  const { name } = await captureImageOf(store, [source], { station: otherStation });
  fs.rmSync(path.dirname(imageFolder(store, name)), { recursive: true });
}

const otherStation = `${captureStation}-B` as typeof captureStation;
