import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { median } from '../measure.ts';
import { startMeasured } from '../measured-server.ts';
import { peerProgram } from '../peer-program.ts';
import type { Row, Scenario } from '../scenario.ts';

const stations = 32;
const megabytes = 64;
const ports = { ours: 8961, nginx: 8962 } as const;
type ServerName = keyof typeof ports;

export const httpScenario: Scenario = {
  name: 'http',
  title: '32 stations load the same 64 MiB at once by HTTP',
  async run(lab) {
    const folder = lab.file('http');
    fs.mkdirSync(folder);
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, randomBytes(megabytes << 20));
    const ours = path.join(import.meta.dirname, '..', 'server-process.ts');
    const commands: Record<ServerName, string[]> = {
      ours: [process.execPath, ours, JSON.stringify({ kind: 'http', file, port: ports.ours })],
      nginx: [await peerProgram('nginx', 'nginx'), '-c', nginxConfiguration(folder)],
    };
    const urls: Record<ServerName, string> = {
      ours: `http://127.0.0.1:${ports.ours}/boot/runtime.img`,
      nginx: `http://127.0.0.1:${ports.nginx}/file`,
    };
    await using running = new AsyncDisposableStack();
    const servers: [ServerName, { cpuSeconds(): number }][] = [];
    for (const name of ['ours', 'nginx'] as const) {
      try {
        servers.push([
          name,
          running.use(await startMeasured(commands[name], async () => (await load(urls[name])) > 0)),
        ]);
      } catch (error) {
        if (name === 'ours') throw error;
        lab.note('nginx is not measured: it did not start (is its Debian package installed?)');
      }
    }
    const cpuPerGigabyte: Record<string, number[]> = {};
    const spreads: number[] = [];
    for (let round = 0; round < lab.rounds; round++) {
      for (const [name, server] of servers) {
        const before = server.cpuSeconds();
        const seconds = await Promise.all(Array.from({ length: stations }, () => load(urls[name])));
        const cpu = server.cpuSeconds() - before;
        cpuPerGigabyte[name] = [
          ...(cpuPerGigabyte[name] ?? []),
          cpu / ((stations * megabytes * 2 ** 20) / 1e9),
        ];
        if (name === 'ours') spreads.push(Math.max(...seconds) / Math.min(...seconds));
      }
    }
    fs.rmSync(folder, { recursive: true });
    const [own, peer] = [median(cpuPerGigabyte['ours'] ?? []), median(cpuPerGigabyte['nginx'] ?? [])];
    const rows: Row[] = [
      {
        what: 'processor time for each gigabyte',
        ours: own,
        ...(Number.isNaN(peer) ? {} : { peer: { name: 'nginx', value: peer }, ratio: peer / own }),
        unit: 'CPU s',
      },
      {
        what: 'slowest station against the fastest',
        ours: median(spreads),
        unit: 'x',
        goal: { sentence: 'the link is shared evenly', kind: 'at most', value: 1.5, of: 'ours' },
      },
    ];
    return { rows };
  },
};

/** Seconds, or 0 when it failed. */
function load(url: string): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    execFile('curl', ['-sS', '-f', '-m', '120', '-o', '/dev/null', url], (error) =>
      resolve(error === null ? (performance.now() - startedAt) / 1000 : 0),
    );
  });
}

function nginxConfiguration(folder: string): string {
  const file = path.join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  fs.writeFileSync(
    file,
    `daemon off; worker_processes 1; user root; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 512; }
http { access_log off; sendfile on; ${temporary.map((each) => `${each}_temp_path ${folder}/${each};`).join(' ')}
  server { listen 127.0.0.1:${ports.nginx}; root ${folder}; } }
`,
  );
  return file;
}
