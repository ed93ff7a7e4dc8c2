import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import type { NetworkNamespace } from './network-namespace.ts';

/** A call of a served API with curl, over TLS, as the runtime makes it: pinned CA, fixed name. */
export const apiByCurl =
  (from: NetworkNamespace, folder: string, site: string) =>
  async (method: string, path: string, body: unknown, token?: string) => {
    const file = join(folder, 'body');
    writeFileSync(file, Buffer.isBuffer(body) ? body : JSON.stringify(body));
    const { stdout, stderr } = await from.run(
      'curl',
      [
        ...['-sS', '--max-time', '20', '--cacert', sitePaths(site).caCertificate],
        ...['--resolve', 'rekindle:8443:10.77.0.1', '-X', method],
        ...['--data-binary', `@${file}`, '-H', 'content-type: application/json', '-w', '\n%{http_code}'],
        ...(token === undefined ? [] : ['-H', `authorization: Bearer ${token}`]),
        `https://rekindle:8443/api/v1${path}`,
      ],
      { seconds: 30 },
    );
    const [text = '', status] = stdout.split(/\n(?=\d+$)/);
    return {
      status: Number(status),
      json: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
      stderr,
    };
  };
