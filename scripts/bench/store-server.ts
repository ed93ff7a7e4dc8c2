import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pino } from 'pino';
import { apiBase, serverName } from '#contract/api.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { readConfiguration } from '#pxe-server/config/read-configuration.ts';
import { createApiApp } from '#pxe-server/http/api-app.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { mintToken } from '#pxe-server/jobs/token.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { readServerTls, readSigningKey } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { benchStation, publishBenchImage, readDescribedDisk } from './bench-image.ts';

/**
 * The service's API over TLS, as `rekindle serve` puts it together, and the same over plain HTTP, on loopback
 * and in a process of its own. `store-server.ts FOLDER STORE INDEX`: writes FOLDER/https.json and FOLDER/http.json,
 * which say where the store is and with what token, then serves until it is ended.
 */
const [folder = '', store = '', index = ''] = process.argv.slice(2);
const paths = sitePaths(path.join(folder, 'site'));
fs.mkdirSync(paths.folder, { recursive: true });
await createSite(paths, { interface: 'lo', address: '127.0.0.1', dhcp: { mode: 'proxy' } });
const state = openState(paths.state, { create: true });
const signingKey = await readSigningKey(paths);
const name = { station: benchStation, utc: '20261120T020000Z' };
const image = { diskIndex: fs.readFileSync(index), disk: readDescribedDisk(index) };
await publishBenchImage(store, name, image, signingKey);

const who = { station: name.station, how: 'technician', technician: 'bench' } as const;
const job = openJob(state, {
  ...{ ...who, kind: 'restore', imageName: `${name.station}_${name.utc}` },
  ...{ manifestSha256: null, machine: '52:54:00:00:00:01' },
});
const token = mintToken(state, { ...who, kind: 'job', job, expiresAt: Date.now() + 24 * 3600_000 });
const app = createApiApp({
  ...{ state, paths, store, signingKey },
  configuration: await readConfiguration(paths.configuration),
  journal: createJournal(state, { keptBoots: 5 }),
  log: pino({ level: 'silent' }),
});
const secure = https.createServer(
  { ...(await readServerTls(paths)), minVersion: 'TLSv1.3', honorCipherOrder: false },
  app,
);
const ca = fs.readFileSync(paths.caCertificate, 'utf8');
for (const [server, scheme] of [
  [http.createServer(app), 'http'],
  [secure, 'https'],
] as const) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ref: StoreRef = {
    kind: 'http',
    url: `${scheme}://127.0.0.1:${port}${apiBase}/store`,
    token,
    ...(scheme === 'https' ? { tls: { ca, serverName } } : {}),
  };
  fs.writeFileSync(path.join(folder, `${scheme}.json`), JSON.stringify(ref));
}
console.log('serving');
