/** The npm package `tftp` as a client: `HOST PORT NAME LOCAL`. */
import { createRequire } from 'node:module';

interface NpmTftp {
  createClient(options: { host: string; port: number; windowSize: number }): {
    get(remote: string, local: string, done: (error?: Error) => void): void;
  };
}

const { createClient } = createRequire(import.meta.url)('tftp') as NpmTftp;
const [host = '', port = '', remote = '', local = ''] = process.argv.slice(2);
createClient({ host, port: Number(port), windowSize: 4 }).get(remote, local, (error) => {
  if (error === undefined || error === null) return;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
