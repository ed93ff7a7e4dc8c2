import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { bootFileOf, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';
import { type JsonLinesProcess, startJsonLines } from '#test/support/json-lines-process.ts';
import { type ServedSite, startServedSite } from '#test/support/served-site.ts';
import { somePassport } from '#test/support/some-passport.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

/** The service as its systemd unit starts it: an ordinary user with two capabilities, told things by signals. */

const nobody = '65534';
const runtimeBytes = 16 << 20;
const sumOfBytes = (bytes: number, text: string) =>
  createHash('sha256').update(Buffer.alloc(bytes, text)).digest('hex');
const [{ mac } = { mac: '' }] = somePassport().networkCards;
let served: ServedSite<'station' | 'stranger'>;
let peer: JsonLinesProcess<PeerDatagram>;

beforeAll(async () => {
  const caps = '+net_bind_service,+net_raw';
  served = await startServedSite({
    members: { station: { address: '10.77.0.20/24', mac }, stranger: { address: '10.77.0.30/24' } },
    init: ['--mode', 'reservation'],
    yaml: 'boot: { menuSeconds: 22, systems: [{ name: tools, title: Vendor tools, kind: iso, file: tools.iso }] }\n',
    runtimeBytes,
    runAs: (site) => {
      chmodSync(join(site, '..'), 0o711);
      execFileSync('chown', ['-R', nobody, site]);
      return [
        ...['setpriv', '--reuid', nobody, '--regid', nobody, '--clear-groups', '--no-new-privs'],
        ...['--inh-caps', caps, '--ambient-caps', caps, '--bounding-set', `-all,${caps}`],
      ];
    },
  });
  const passport = join(served.folder, 'passport.json');
  writeFileSync(passport, JSON.stringify(somePassport()));
  const add = ['station', 'add', 'OS-SRV-1A', '--passport', passport, '--address', '10.77.0.21'];
  expect(await served.rekindle(...add)).toMatchObject({ code: 0 });
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  peer = startJsonLines(served.lan.members.station, script, { ports: [68], address: '10.77.0.20' });
  await peer.waitFor(({ from }) => from === 'ready');
});
afterAll(() => served?.[Symbol.asyncDispose]());

const status = () => readFileSync(`/proc/${served.pid}/status`, 'utf8');
const curl = (...args: string[]) =>
  served.lan.members.station.run('curl', ['-sS', '-m', '20', ...args], { seconds: 30 });
const copyAt = (name: string) => join(served.folder, name);
const sumOf = (name: string) =>
  createHash('sha256')
    .update(readFileSync(copyAt(name)))
    .digest('hex');

const runtime = { path: '/boot/runtime.img', sum: sumOfBytes(runtimeBytes, 'runtime') };
/** Small enough to arrive in the time that a stop leaves, on a busy machine too. */
const kernel = { path: '/boot/vmlinuz', sum: sumOfBytes(3_000_000, 'kernel') };

/** A file by HTTP, slowly, and by TFTP in lock-step, both under way. */
async function startTransfers(name: string, { path, sum } = runtime): Promise<{ done(): Promise<void> }> {
  const http = curl('--limit-rate', '4M', '-o', copyAt(`${name}-http`), `http://10.77.0.1:8080${path}`);
  const args = ['-m', 'binary', '10.77.0.1', '-c', 'get', path, copyAt(`${name}-tftp`)];
  const tftp = served.lan.members.station.run('tftp', args, { seconds: 30 });
  const begun = () => ['http', 'tftp'].every((how) => existsSync(copyAt(`${name}-${how}`)));
  await expect.poll(begun, { interval: 10, timeout: 10_000 }).toBe(true);
  await sleep(100);
  return {
    async done() {
      for (const [how, ended] of [
        ['http', http],
        ['tftp', tftp],
      ] as const) {
        const { code, stderr } = await ended;
        expect({ how, code, stderr }).toMatchObject({ code: 0 });
        expect({ how, sum: sumOf(`${name}-${how}`) }).toEqual({ how, sum });
      }
    },
  };
}

let xid = 0x7000;
/** The boot file of an offer; undefined when none comes within a second. */
async function offered(options = uefiOptions): Promise<string | undefined> {
  xid += 1;
  const hex = request({ type: 1, xid, flags: 0x8000, options }).toString('hex');
  peer.send({ port: 68, to: '255.255.255.255', toPort: 67, hex });
  const mark = xid.toString(16).padStart(8, '0');
  const answer = await peer
    .waitFor(({ hex: bytes }) => bytes.slice(8, 16) === mark, 1)
    .catch(() => undefined);
  return answer && bootFileOf(Buffer.from(answer.hex, 'hex'));
}

test('an ordinary user with two capabilities answers DHCP, TFTP, HTTP and HTTPS, and doctor finds its privileges right', async () => {
  expect(status()).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
  for (const set of ['CapEff', 'CapPrm', 'CapBnd'])
    expect(status()).toMatch(new RegExp(`^${set}:\\t0000000000002400$`, 'm'));
  expect(status()).toMatch(/^NoNewPrivs:\t1$/m);
  expect(await offered()).toBe('snponly.efi');
  expect(await curl('-o', copyAt('loader'), 'tftp://10.77.0.1/snponly.efi')).toMatchObject({ code: 0 });
  // It starts; a machine that fell silent here would be offered the other iPXE from now on.
  expect((await curl(`http://10.77.0.1:8080/boot/script.ipxe?mac=${mac}`)).stdout).toMatch(/^#!ipxe/);
  expect((await curl('http://10.77.0.1:8080/healthz')).stdout).toBe('ok\n');
  const tls = ['--cacert', sitePaths(served.site).caCertificate, '--resolve', 'rekindle:8443:10.77.0.1'];
  expect(await curl(...tls, '-f', 'https://rekindle:8443/api/v1/health')).toMatchObject({ code: 0 });
  const doctor = await served.rekindle('doctor', '--json');
  const findings = JSON.parse(doctor.stdout) as { check: string; verdict: string }[];
  // Both would be found out in front of a station otherwise.
  expect(served.said()).toMatch(
    /Warning: The boot menu offers Vendor tools, but \S+boot\/tools\.iso is not there/,
  );
  expect(findings.filter(({ check }) => check === 'boot menu')).toMatchObject([{ verdict: 'warning' }]);
  expect(findings.filter(({ check }) => check === 'ports')).toMatchObject([{ verdict: 'ok' }]);
});

test('iPXE of a station is told that no IPv6 router is to be waited for; other firmware and other machines hear nothing', async () => {
  const heard = (member: 'station' | 'stranger') => {
    const child = served.lan.members[member].spawn('tcpdump', [
      '-n',
      '-l',
      '-vv',
      '-e',
      '-i',
      'eth0',
      'icmp6',
    ]);
    let [text, ready] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (ready += bytes.toString()));
    return { text: () => text, isReady: () => ready.includes('listening on') };
  };
  const [station, stranger] = [heard('station'), heard('stranger')];
  await expect.poll(() => station.isReady() && stranger.isReady(), { timeout: 5000 }).toBe(true);
  expect(await offered()).toBe('snponly.efi');
  await sleep(400);
  expect(station.text()).toBe('');
  expect(await offered([...uefiOptions, [77, 'iPXE']])).toContain('/boot/script.ipxe');
  await expect.poll(station.text, { timeout: 5000 }).toContain('router advertisement');
  // tcpdump has checked the sum. No default route, no prefix, nothing to configure.
  expect(station.text().replaceAll(/\s+/g, ' ')).toMatch(
    /> 52:54:00:00:00:01, ethertype IPv6 .*hlim 255,.* > fe80::5054:ff:fe00:1: \[icmp6 sum ok\] ICMP6, router advertisement, length 16 hop limit 0, Flags \[none\], pref medium, router lifetime 0s, reachable time 0ms, retrans timer 0ms $/,
  );
  expect(stranger.text()).toBe('');
});

test('SIGHUP in the middle of transfers: the configuration counts at once, nothing is broken off', async () => {
  const transfers = await startTransfers('reload');
  const { configuration } = sitePaths(served.site);
  for (const seconds of [33, 44]) {
    const text = readFileSync(configuration, 'utf8').replace(/^boot:.*\n/m, '');
    writeFileSync(configuration, `${text}boot: { menuSeconds: ${seconds} }\n`);
    process.kill(served.pid, 'SIGHUP');
    const menu = async () => (await curl(`http://10.77.0.1:8080/boot/script.ipxe?mac=${mac}`)).stdout;
    await expect.poll(menu, { timeout: 5000 }).toContain(`--timeout ${seconds}000`);
    expect(await offered()).toBe('snponly.efi');
  }
  await transfers.done();
});

test('a registry that fails takes down its own question only: loaders, running transfers and health go on, and all is well again after it', async () => {
  const transfers = await startTransfers('crash');
  using state = new DatabaseSync(sitePaths(served.site).state, { timeout: 5000 });
  state.exec('ALTER TABLE station_macs RENAME TO away');
  try {
    expect(await offered()).toBeUndefined();
    const script = await curl('-w', '%{http_code}', `http://10.77.0.1:8080/boot/script.ipxe?mac=${mac}`);
    expect(script.stdout).toMatch(/its log says why\n500$/);
    expect((await curl(`tftp://10.77.0.1/grub/${mac}.cfg`)).code).not.toBe(0);
    expect(await curl('-o', copyAt('loader2'), 'tftp://10.77.0.1/snponly.efi')).toMatchObject({ code: 0 });
    expect((await curl('http://10.77.0.1:8080/healthz')).stdout).toBe('ok\n');
  } finally {
    state.exec('ALTER TABLE away RENAME TO station_macs');
  }
  await transfers.done();
  expect(await offered()).toBe('snponly.efi');
  expect((await curl(`tftp://10.77.0.1/grub/${mac}.cfg`)).stdout).toContain('menuentry');
});

test('SIGTERM: running transfers end whole, then the service does, with nothing left', async () => {
  const transfers = await startTransfers('stop', kernel);
  process.kill(served.pid, 'SIGTERM');
  await transfers.done();
  await expect.poll(() => served.exitCode(), { timeout: 10_000 }).toBe(0);
  expect(served.said()).toContain('Rekindle has stopped.');
  expect(execFileSync('ip', ['netns', 'pids', served.lan.members.server.name]).toString()).toBe('');
});
