import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchImage, BenchLab } from './bench-lab.ts';

/** A running `store-server.ts`: what an engine takes for its store, by scheme. */
export interface BenchServer extends AsyncDisposable {
  readonly http: string;
  readonly https: string;
}

export async function startBenchServer(lab: BenchLab, image: BenchImage): Promise<BenchServer> {
  const folder = lab.file('server');
  fs.mkdirSync(folder, { recursive: true });
  const script = fileURLToPath(new URL('store-server.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder, image.store, image.index], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const ready = once(createInterface(child.stdout), 'line');
  await Promise.race([
    ready,
    ended.then(([status]) => {
      throw new Error(`the store server ended with status ${status} before it served`);
    }),
  ]);
  return {
    http: `${folder}/http.json`,
    https: `${folder}/https.json`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
      fs.rmSync(folder, { recursive: true, force: true });
      fs.rmSync(`${image.store}/images`, { recursive: true, force: true });
    },
  };
}
