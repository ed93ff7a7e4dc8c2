import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type Contestant, median, pairedRatio, runInterleaved } from '../measure.ts';
import { startMeasured } from '../measured-server.ts';
import { peerProgram } from '../peer-program.ts';
import { type Row, type Scenario, secondsOf } from '../scenario.ts';

const megabytes = 8;
const ports = { ours: 6961, 'tftpd-hpa': 6962, dnsmasq: 6963, atftpd: 6964 } as const;
type ServerName = keyof typeof ports;

export const tftpScenario: Scenario = {
  name: 'tftp',
  title: 'TFTP: 8 MiB to curl on loopback, in lock-step',
  async run(lab) {
    const folder = lab.file('tftp');
    fs.mkdirSync(folder, { mode: 0o755 });
    fs.chmodSync(lab.folder, 0o755);
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, randomBytes(megabytes << 20), { mode: 0o644 });
    const ours = path.join(import.meta.dirname, '..', 'server-process.ts');
    const commands: Record<ServerName, string[]> = {
      ours: [process.execPath, ours, JSON.stringify({ kind: 'tftp', file, port: ports.ours })],
      'tftpd-hpa': [
        await peerProgram('tftpd-hpa', 'in.tftpd'),
        '-L',
        '-a',
        `127.0.0.1:${ports['tftpd-hpa']}`,
        '-s',
        folder,
      ],
      atftpd: [
        ...[await peerProgram('atftpd', 'atftpd'), '--daemon', '--no-fork', '--user', 'root.root'],
        ...['--bind-address', '127.0.0.1', '--port', String(ports.atftpd), folder],
      ],
      // It serves TFTP at 69 only, so it gets a network of its own address.
      dnsmasq: [
        ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root'],
        ...['--enable-tftp', `--tftp-root=${folder}`, '--listen-address=127.0.0.2', '--bind-interfaces'],
      ],
    };
    const url = (name: ServerName) =>
      name === 'dnsmasq' ? 'tftp://127.0.0.2/file' : `tftp://127.0.0.1:${ports[name]}/file`;
    await using servers = new AsyncDisposableStack();
    const present: ServerName[] = [];
    for (const name of Object.keys(commands) as ServerName[]) {
      try {
        servers.use(await startMeasured(commands[name], () => curl(url(name))));
        present.push(name);
      } catch (error) {
        if (name === 'ours') throw error;
        lab.note(
          `${name} is not measured: it did not start (is its Debian package installed, and port 69 free?)`,
        );
      }
    }
    const rows: Row[] = [];
    for (const [what, options] of [
      ['512 bytes a block', []],
      ['1468 bytes a block', ['--tftp-blksize', '1468']],
    ] as const) {
      const contestants = present.map((name): Contestant => {
        const target = path.join(folder, 'got');
        return { name, command: ['curl', '-sS', '-m', '60', ...options, '-o', target, url(name)] };
      });
      const [own, ...peers] = await runInterleaved(contestants, lab.rounds * 5, lab.folder);
      if (own === undefined) continue;
      for (const peer of peers) {
        rows.push({
          what: `${what}, against ${peer.name}`,
          ours: median(secondsOf(own)),
          peer: { name: peer.name, value: median(secondsOf(peer)) },
          unit: 's',
          ratio: pairedRatio(secondsOf(peer), secondsOf(own)),
          goal: { sentence: `at least as fast as ${peer.name}`, kind: 'at least', value: 1, of: 'ratio' },
        });
      }
    }
    fs.rmSync(folder, { recursive: true });
    return { rows };
  },
};

function curl(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('curl', ['-sS', '-m', '10', '-o', '/dev/null', url], (error) => resolve(error === null));
  });
}
