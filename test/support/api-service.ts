import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSecretKey } from '#images/format/minisign.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readConfiguration } from '#pxe-server/config/read-configuration.ts';
import { createApiApp } from '#pxe-server/http/api-app.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { createLog } from '#pxe-server/serve/log.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { readServerTls } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addUser } from '#pxe-server/users/user-store.ts';

export interface ApiService {
  readonly url: string;
  readonly context: ServiceContext;
  readonly ca: string;
  readonly imageSigner: string;
  close(): Promise<void>;
}

export const credentials = { technician: 'meier', password: 'a plain long password' };

/** The real API over real TLS on loopback, on a site as `rekindle init` makes it, with one image operator. */
export async function startApiService(
  /** More of `rekindle.yaml`, as YAML. */
  moreConfiguration = '',
): Promise<ApiService> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-site-'));
  const paths = sitePaths(folder);
  await mkdir(folder, { recursive: true });
  await createSite(paths, { interface: 'lo', address: '127.0.0.1', dhcp: { mode: 'proxy' } });
  await appendFile(paths.configuration, moreConfiguration);
  const configuration = await readConfiguration(paths.configuration);
  const state = openState(paths.state, { create: true });
  const context: ServiceContext = {
    state,
    paths,
    configuration,
    store: storeFolder(configuration, folder),
    signingKey: parseSecretKey(await readFile(paths.imageSigningKey, 'utf8')),
    journal: createJournal(state, { keptBoots: 5 }),
    log: createLog('error'),
  };
  await addUser(state, {
    name: credentials.technician,
    password: credentials.password,
    role: 'image-operator',
  });

  const server = createServer(await readServerTls(paths), createApiApp(context));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    context,
    ca: await readFile(paths.caCertificate, 'utf8'),
    imageSigner: await readFile(paths.imageSigningPublicKey, 'utf8'),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      state.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
