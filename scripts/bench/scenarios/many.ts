import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSite } from '#pxe-server/site/create-site.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { below, memoryGoal } from '../goals.ts';
import { makeManyImages } from '../many-images.ts';
import { runOnce } from '../measure.ts';
import type { Row, Scenario } from '../scenario.ts';

/** "In seconds". */
const inSeconds = 30;
const rekindle = fileURLToPath(new URL('../../rekindle.ts', import.meta.url));

export const manyScenario: Scenario = {
  name: 'many',
  title: 'A store of 1,000 images and 1,000,000 chunks, 100,000 of them in no image',
  async run(lab) {
    const many = lab.quick
      ? { images: 20, chunks: 20_000, unneeded: 2_000 }
      : { images: 1_000, chunks: 1_000_000, unneeded: 100_000 };
    const paths = sitePaths(lab.file('site'));
    const store = path.join(paths.folder, 'images');
    try {
      fs.mkdirSync(store, { recursive: true });
      await createSite(paths, { interface: 'lo', address: '127.0.0.1', dhcp: { mode: 'proxy' } });
      openState(paths.state, { create: true }).close();
      await makeManyImages(store, await readSigningKey(paths), many);
      const rows: Row[] = [];
      for (const verb of [
        ['list', '--json'],
        ['gc', '--json'],
      ]) {
        const what = `rekindle image ${verb[0]}`;
        const command = [process.execPath, rekindle, 'image', ...verb, '--site', paths.folder];
        const { seconds, peakBytes } = await runOnce(what, command, lab.folder);
        rows.push({ what, ours: seconds, unit: 's', goal: below(inSeconds, 's') });
        rows.push({ what: `${what}, peak memory`, ours: peakBytes / 1e6, unit: 'MB', goal: memoryGoal });
      }
      return { rows };
    } finally {
      fs.rmSync(paths.folder, { recursive: true, force: true });
    }
  },
};
