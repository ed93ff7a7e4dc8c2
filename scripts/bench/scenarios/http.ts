import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import type { BenchLab } from '../bench-lab.ts';
import { median } from '../measure.ts';
import { startMeasured } from '../measured-server.ts';
import { peerProgram } from '../peer-program.ts';
import { makeRandomImage } from '../random-image.ts';
import type { Row, Scenario } from '../scenario.ts';

const stations = 32;
const megabytes = 64;
const ports = { ours: 8961, nginx: 8962, nginxSecure: 8963 } as const;

/** A server, and how one station loads everything from it. */
interface Contestant {
  readonly name: 'ours' | 'nginx';
  readonly command: readonly string[];
  /** Arguments of curl, once the server is there. */
  readonly load: () => readonly string[];
}

type Figures = Record<Contestant['name'], number[]>;

export const httpScenario: Scenario = {
  name: 'http',
  title: '32 stations load the same 64 MiB at once: a boot file by HTTP, an image by HTTPS',
  async run(lab) {
    const folder = lab.file('http');
    fs.mkdirSync(folder);
    try {
      return { rows: [...(await bootFile(lab, folder)), ...(await image(lab, folder))] };
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  },
};

async function bootFile(lab: BenchLab, folder: string): Promise<Row[]> {
  const file = path.join(folder, 'file');
  fs.writeFileSync(file, randomBytes(megabytes << 20));
  const ours = path.join(import.meta.dirname, '..', 'server-process.ts');
  const argument = JSON.stringify({ kind: 'http', file, port: ports.ours });
  return compare(lab, 'boot file by HTTP', [
    {
      name: 'ours',
      command: [process.execPath, ours, argument],
      load: () => ['-o', '/dev/null', `http://127.0.0.1:${ports.ours}/boot/runtime.img`],
    },
    {
      name: 'nginx',
      command: await nginx(folder, `listen 127.0.0.1:${ports.nginx}; root ${folder};`),
      load: () => ['-o', '/dev/null', `http://127.0.0.1:${ports.nginx}/file`],
    },
  ]);
}

/** Chunk by chunk over one connection with TLS 1.3, as a restore does; ours looks at the token of each. */
async function image(lab: BenchLab, folder: string): Promise<Row[]> {
  const { store, index, chunks } = makeRandomImage(folder, megabytes);
  const ours = path.join(import.meta.dirname, '..', 'store-server.ts');
  const paths = sitePaths(path.join(folder, 'site'));
  const each = (base: string) => chunks.flatMap((chunk) => ['-o', '/dev/null', `${base}/${chunk}`]);
  const reference = () =>
    JSON.parse(fs.readFileSync(path.join(folder, 'https.json'), 'utf8')) as { url: string; token: string };
  const secure = `listen 127.0.0.1:${ports.nginxSecure} ssl; ssl_protocols TLSv1.3; keepalive_requests 100000;
    ssl_certificate ${paths.serverCertificate}; ssl_certificate_key ${paths.serverKey}; root ${store};`;
  return compare(lab, 'image by HTTPS', [
    {
      name: 'ours',
      command: [process.execPath, ours, folder, store, index],
      load: () => ['-k', '-H', `authorization: Bearer ${reference().token}`, ...each(reference().url)],
    },
    // Its certificate is ours, so ours is started first.
    {
      name: 'nginx',
      command: await nginx(folder, secure),
      load: () => ['-k', ...each(`https://127.0.0.1:${ports.nginxSecure}`)],
    },
  ]);
}

async function compare(lab: BenchLab, what: string, contestants: readonly Contestant[]): Promise<Row[]> {
  await using running = new AsyncDisposableStack();
  const servers: (Contestant & { readonly cpuSeconds: () => number })[] = [];
  for (const contestant of contestants) {
    try {
      const answers = async () => (await seconds(contestant)) > 0;
      const { cpuSeconds } = running.use(await startMeasured(contestant.command, answers));
      servers.push({ ...contestant, cpuSeconds });
    } catch (error) {
      if (contestant.name === 'ours') throw error;
      lab.note('nginx is not measured: it did not start (apt could not fetch its Debian package?)');
    }
  }
  const cpuPerGigabyte: Figures = { ours: [], nginx: [] };
  const spreads: Figures = { ours: [], nginx: [] };
  for (let round = 0; round < lab.rounds; round++) {
    for (const server of servers) {
      const before = server.cpuSeconds();
      const taken = await Promise.all(Array.from({ length: stations }, () => seconds(server)));
      const cpu = server.cpuSeconds() - before;
      cpuPerGigabyte[server.name].push(cpu / ((stations * megabytes * 2 ** 20) / 1e9));
      spreads[server.name].push(Math.max(...taken) / Math.min(...taken));
    }
  }
  const of = (figures: Figures) => {
    const [own, peer] = [median(figures.ours), median(figures.nginx)];
    return {
      ours: own,
      ...(Number.isNaN(peer) ? {} : { peer: { name: 'nginx', value: peer }, ratio: peer / own }),
    };
  };
  const { ours, peer } = of(spreads);
  return [
    { what: `${what}: processor time for each gigabyte`, ...of(cpuPerGigabyte), unit: 'CPU s' },
    {
      what: `${what}: slowest station against the fastest`,
      ...{ ours, ...(peer === undefined ? {} : { peer }), unit: 'x' },
      goal: { sentence: 'the link is shared evenly', kind: 'at most', value: 1.5, of: 'ours' },
    },
  ];
}

/** Of one station that loads everything; 0 when that failed. */
function seconds({ load }: Contestant): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let args: readonly string[];
    try {
      args = load();
    } catch {
      return resolve(0);
    }
    execFile('curl', ['-sS', '-f', '-m', '240', ...args], (error) =>
      resolve(error === null ? (performance.now() - startedAt) / 1000 : 0),
    );
  });
}

/** Command that starts nginx with one `server`. */
async function nginx(folder: string, server: string): Promise<string[]> {
  const file = path.join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  fs.writeFileSync(
    file,
    `daemon off; worker_processes 1; user root; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 512; }
http { access_log off; sendfile on; ${temporary.map((each) => `${each}_temp_path ${folder}/${each};`).join(' ')}
  server { ${server} } }
`,
  );
  return [await peerProgram('nginx', 'nginx'), '-c', file];
}
