import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { createNetwork, type Network } from '#test/support/network-namespace.ts';
import { makeServedRuntime, rekindleScript, startServing, stopServing } from '#test/support/served-site.ts';
import { somePassport } from '#test/support/some-passport.ts';

const password = 'correct horse battery';
const station = 'OS-SRV-1A';
const [firstCard] = somePassport().networkCards;
const stationMac = firstCard?.mac ?? '';

let folder: string;
let site: string;
let lan: Network<'server' | 'station' | 'stranger'>;
let service: ChildProcessWithoutNullStreams | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-serve-'));
  site = join(folder, 'site');
  lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    station: { address: '10.77.0.20/24', mac: stationMac },
    stranger: { address: '10.77.0.30/24', mac: '52:54:00:00:77:77' },
  });
});
afterAll(async () => {
  service?.kill('SIGKILL');
  await lan[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) =>
  lan.members.server.run(process.execPath, [rekindleScript, ...args, '--site', site], { seconds: 30 });

const curl = (from: 'station' | 'stranger', ...args: string[]) =>
  lan.members[from].run('curl', ['-sS', '--max-time', '20', ...args], { seconds: 30 });

const boot = (path: string) => `http://10.77.0.1:8080/boot/${path}`;

describe('rekindle init and serve', () => {
  it('makes a site folder, keeps its secrets private, and never makes a key twice', async () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    const init = () => run('init', '--interface', 'eth0', '--user', 'erika', '--password-file', passwordFile);
    const first = await init();
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const { imageSigningKey, caKey, serverKey, state } = sitePaths(site);
    const secrets = [imageSigningKey, caKey, serverKey];
    for (const file of [...secrets, state]) expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = secrets.map((file) => readFileSync(file, 'utf8'));
    expect((await init()).stdout).toContain('nothing was missing');
    expect(secrets.map((file) => readFileSync(file, 'utf8'))).toEqual(before);
  });

  it('says everything that is missing at once, and what to do', async () => {
    const { code, stderr } = await run('serve');
    expect(code).toBe(2);
    expect(stderr).toContain('vmlinuz is not there');
    expect(stderr).toContain('runtime.img is not there');
    expect(stderr).toContain('rekindle runtime build');
  });

  it('names line and key of a configuration error', async () => {
    const file = sitePaths(site).configuration;
    const right = readFileSync(file, 'utf8');
    writeFileSync(file, `${right}colour: red\n`);
    const { code, stderr } = await run('serve');
    expect(code).toBe(2);
    expect(stderr).toMatch(/rekindle\.yaml:\d+: colour: is no key/);
    writeFileSync(file, right);
  });

  it('becomes ready, and refuses a second service on the same ports', async () => {
    makeServedRuntime(site);
    service = await startServing(lan.members.server, site);
    const second = await run('serve');
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('TCP port 8080');
  });
});

describe('boot files over HTTP', () => {
  it('pain 11: answers HEAD, Range and If-None-Match', async () => {
    const head = await curl('station', '-I', boot('vmlinuz'));
    expect(head.stdout).toMatch(/^HTTP\/1.1 200/);
    expect(head.stdout).toMatch(/content-length: 3000000/i);
    const etag = /etag: (.*)\r/i.exec(head.stdout)?.[1] ?? '';
    const unchanged = await curl(
      'station',
      '-w',
      '%{http_code}',
      '-H',
      `If-None-Match: ${etag}`,
      boot('vmlinuz'),
    );
    expect(unchanged.stdout).toBe('304');
    const range = await curl('station', '-r', '2999994-2999999', '-w', ' %{http_code}', boot('vmlinuz'));
    expect(range.stdout).toBe('kernel 206');
    const beyond = await curl(
      'station',
      '-r',
      '9000000-',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      boot('vmlinuz'),
    );
    expect(beyond.stdout).toBe('416');
    for (const path of [
      'packs/..%2f..%2fkeys%2fserver.key',
      'packs/NONE.img',
      '../rekindle.yaml',
      'nothing',
    ]) {
      const { stdout } = await curl(
        'station',
        '--path-as-is',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        boot(path),
      );
      expect(stdout).toBe('404');
    }
    const loader = await curl('station', '-I', boot('snponly.efi'));
    expect(loader.stdout).toMatch(/^HTTP\/1.1 200/);
  });

  it('pain 11: serves 100 downloads at once', async () => {
    const urls = Array.from({ length: 100 }, () => ['-o', '/dev/null', boot('runtime.img')]).flat();
    const { stdout } = await curl(
      'station',
      '--parallel',
      '--parallel-immediate',
      '--parallel-max',
      '100',
      '-w',
      '%{size_download}\n',
      ...urls,
    );
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 100 }, () => '8000000'));
  });

  it('sends a machine that nobody knows to its own disk, until a person opens the window', async () => {
    const script = (mac: string, uuid = '') => curl('stranger', `${boot(`script.ipxe?mac=${mac}`)}${uuid}`);
    const stranger = '52:54:00:00:77:77';
    expect((await script(stranger)).stdout).toContain('chain http://10.77.0.1:8080/boot/script.ipxe');
    expect((await script(stranger, '&uuid=1')).stdout).toContain('is not known here');
    expect((await run('enrol', 'approve', stranger)).code).toBe(2);
    expect((await run('enrol', 'open', '--for', '15m')).code).toBe(0);
    const waiting = (await script(stranger, '&uuid=1')).stdout;
    expect(waiting).toContain(`waits for approval: rekindle enrol approve ${stranger}`);
    expect(waiting).not.toContain('/boot/vmlinuz');
    expect((await run('enrol', 'approve')).stdout).toMatch(/^ {2}waits +52:54:00:00:77:77 /m);
    expect((await run('enrol', 'approve', stranger)).code).toBe(0);
    expect((await run('enrol', 'status')).stdout).toMatch(/^ {2}approved +52:54:00:00:77:77$/m);
    const open = (await script(stranger)).stdout;
    expect(open).toContain('/boot/packs/universal.img');
    expect(open).toContain('rekindle.purpose=enrolment');
    expect((await run('enrol', 'close')).code).toBe(0);
    expect((await script(stranger, '&uuid=1')).stdout).toContain('is not known here');
    expect((await script('nonsense')).stdout).toContain('no network card');
  });

  it('knows a station by its card, or by its UUID when the card was replaced', async () => {
    const file = join(folder, 'passport.json');
    writeFileSync(file, JSON.stringify(somePassport()));
    const added = await run('station', 'add', station, '--passport', file);
    expect(added).toMatchObject({ code: 0, stdout: `Station ${station} is registered.\n` });
    const script = async (query: string) => (await curl('station', boot(`script.ipxe?${query}`))).stdout;
    const menu = await script(`mac=${stationMac}`);
    expect(menu).toContain(`item --key r recovery R  Recovery of ${station}\n`);
    expect(menu).toContain('choose --default local-disk --timeout 10000 choice || goto local_disk');
    expect(await script(`mac=${stationMac}&choice=local-disk`)).toContain('starting from the local disk');
    const known = await script(`mac=${stationMac}&choice=recovery`);
    expect(known).toContain(`recovery of ${station}`);
    expect(known).toContain(`/boot/packs/${station}.img`);
    expect(known).toContain(`rekindle.mac=${stationMac}`);
    const replaced = await script(`mac=52:54:00:00:88:88&uuid=${somePassport().system.uuid}`);
    expect(replaced).toContain(`Recovery of ${station}`);
    expect(replaced).toContain(`&uuid=${somePassport().system.uuid}&choice=`);
    expect(
      (await curl('station', '-o', '/dev/null', '-w', '%{http_code}', boot(`packs/${station}.img`))).stdout,
    ).toBe('200');

    const shown = await run('station', 'show', station, '--boots');
    expect(shown.stdout).toContain(`gets the boot menu of ${station} for 10 s`);
    expect(shown.stdout).toContain(`gets the boot script: recovery of ${station}`);
    expect(shown.stdout).toContain(`gets driver pack ${station}`);
    const listed = JSON.parse((await run('station', 'list', '--json')).stdout);
    // This site's kernel has no modules, so nothing drives the station, and the list says it.
    expect(listed).toMatchObject([{ name: station, driverPack: { state: 'red' }, armed: null }]);
    expect(listed[0].driverPack.reasons).toContain(
      'Ethernet controller 8086:10d3 (0000:00:02.0) has no driver in this pack for kernel 6.1.0-1-amd64',
    );
  });
});

describe('operation', () => {
  it('says that it is well, and counts what it did', async () => {
    expect(await curl('station', 'http://10.77.0.1:8080/healthz')).toMatchObject({ stdout: 'ok\n' });
    const { stdout } = await curl('station', 'http://10.77.0.1:8080/metrics');
    expect(stdout).toMatch(/^# TYPE rekindle_http_requests_total counter$/m);
    expect(Number(/^rekindle_http_requests_total\{status="200"\} (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(
      100,
    );
    expect(stdout).toMatch(/^process_resident_memory_bytes \d+$/m);
  });

  it('SIGHUP reads the configuration again, a running download goes on, and errors change nothing', async () => {
    if (service === undefined) throw new Error('the service runs');
    const child = service;
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => said.push(bytes.toString()));
    const hangUp = async (text: string, expected: RegExp) => {
      writeFileSync(sitePaths(site).configuration, text);
      process.kill(Number(child.pid), 'SIGHUP');
      await expect.poll(() => said.join(''), { timeout: 5000 }).toMatch(expected);
    };
    const before = readFileSync(sitePaths(site).configuration, 'utf8');
    const slow = curl(
      'station',
      '--limit-rate',
      '4M',
      '-o',
      '/dev/null',
      '-w',
      '%{size_download}',
      boot('runtime.img'),
    );
    const answer = () => curl('station', boot(`script.ipxe?mac=${stationMac}`));
    await hangUp(`${before}boot: { menuSeconds: 77 }\n`, /has read its configuration again\./);
    expect((await answer()).stdout).toContain('--timeout 77000');
    await hangUp(`${before}nonsense: 1\n`, /goes on with its old configuration[\s\S]*nonsense/);
    expect((await answer()).stdout).toContain('--timeout 77000');
    await hangUp(`${before}journal: { boots: 7 }\n`, /a restart is needed for: journal/);
    expect((await answer()).stdout).toContain('--timeout 10000');
    expect((await slow).stdout).toBe('8000000');
    writeFileSync(sitePaths(site).configuration, before);
  });
});

describe('rekindle doctor', () => {
  it('finds what is wrong with a running site, says how to mend it, and ends with 2', async () => {
    const { code, stdout } = await run('doctor', '--json');
    const findings = JSON.parse(stdout) as {
      check: string;
      verdict: string;
      sentence: string;
      next?: string;
    }[];
    const of = (check: string) => findings.filter((each) => each.check === check);
    expect(of('ports')).toMatchObject([
      { verdict: 'ok', sentence: 'The service runs and answers on eth0 (10.77.0.1).' },
    ]);
    expect(of('packages')).toMatchObject([{ verdict: 'ok' }]);
    expect(of('certificates').map(({ verdict }) => verdict)).toEqual(['ok', 'ok']);
    // Proxy mode, and nobody gives addresses on this network.
    expect(of('DHCP servers')).toMatchObject([{ verdict: 'problem' }]);
    expect(findings.every(({ verdict, next }) => (verdict === 'ok') === (next === undefined))).toBe(true);
    expect(code).toBe(2);
    const text = await run('doctor');
    expect(text.stdout).toContain('PROBLEM  On eth0 no DHCP server gives addresses');
  });

  it('tells the boots of one machine with the seconds since its first packet', async () => {
    const { stdout, code } = await run('doctor', '--machine', station);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {4}0\.000 s {2}/m);
    expect(stdout).toMatch(/^ +\d+\.\d{3} s {2}boot-files {2}gets the boot menu of OS-SRV-1A for 10 s$/m);
    expect((await run('doctor', '--machine', '52:54:00:aa:aa:aa')).stdout).toContain(
      'Nothing was ever heard of',
    );
    expect((await run('doctor', '--machine', 'NOBODY')).code).toBe(11);
  });

  it('shows a station and its boots on a terminal of 80 columns', async () => {
    const verb = `${process.execPath} ${rekindleScript} station show ${station} --boots --site ${site}`;
    const { stdout, code } = await lan.members.server.run(
      'script',
      ['-qec', `stty cols 80 rows 25; ${verb}`, '/dev/null'],
      { seconds: 30 },
    );
    expect(code).toBe(0);
    const rows = stdout.split(/\r?\n/);
    expect(rows.filter((row) => row.length >= 80)).toEqual([]);
    expect(rows.filter((row) => row.startsWith('  loader  ')).join()).toContain(
      "the firmware's network driver",
    );
    expect(rows.some((row) => row.startsWith('    0.000 s  '))).toBe(true);
  });

  it('tells live what a machine does, until Ctrl-C', async () => {
    const args = [rekindleScript, 'station', 'show', station, '--follow', '--site', site];
    const child = lan.members.server.spawn(process.execPath, args);
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await expect.poll(() => said, { timeout: 20_000 }).toContain('Waiting for what comes next.');
    said = '';
    await curl('station', boot(`script.ipxe?mac=${stationMac}&choice=local-disk`));
    await expect
      .poll(() => said, { timeout: 10_000 })
      .toMatch(/ s {2}boot-files {2}starts from its local disk/);
    expect(await stopServing(child, 'SIGINT')).toBe(0);
  });

  it('captures the packets of one machine', async () => {
    const file = join(folder, 'boot.pcap');
    const capturing = run('doctor', '--capture', file, '--for', '3s', '--machine', stationMac);
    await expect.poll(() => existsSync(file) && statSync(file).size >= 24, { timeout: 10_000 }).toBe(true);
    await curl('stranger', 'http://10.77.0.1:8080/healthz');
    await curl('station', 'http://10.77.0.1:8080/healthz');
    expect((await capturing).code).toBe(0);
    const packets = (await lan.members.server.run('tcpdump', ['-n', '-r', file])).stdout;
    expect(packets).toContain('10.77.0.20.');
    expect(packets).not.toContain('10.77.0.30.');
  });
});

describe('the end', () => {
  it('SIGTERM ends it cleanly', async () => {
    if (service === undefined) throw new Error('the service runs');
    const code = await stopServing(service, 'SIGTERM');
    service = undefined;
    expect(code).toBe(0);
    expect(execFileSync('ip', ['netns', 'pids', lan.members.server.name]).toString()).toBe('');
  });

  it('runs as an ordinary user with two capabilities, as its systemd unit starts it', async () => {
    const nobody = '65534';
    execFileSync('chown', ['-R', nobody, site]);
    execFileSync('chmod', ['711', folder]);
    const caps = '+net_bind_service,+net_raw';
    const unprivileged = [
      ...['setpriv', '--reuid', nobody, '--regid', nobody, '--clear-groups', '--no-new-privs'],
      ...['--inh-caps', caps, '--ambient-caps', caps, '--bounding-set', `-all,${caps}`],
    ];
    const child = await startServing(lan.members.server, site, unprivileged);
    service = child;
    expect(readFileSync(`/proc/${child.pid}/status`, 'utf8')).toMatch(/^CapEff:\t0000000000002400$/m);
    expect((await curl('station', 'http://10.77.0.1:8080/healthz')).stdout).toBe('ok\n');
    const loader = await curl('station', '-o', join(folder, 'loader'), 'tftp://10.77.0.1/snponly.efi');
    expect(loader).toMatchObject({ code: 0 });
    const doctor = await lan.members.server.run(
      unprivileged[0] ?? '',
      [...unprivileged.slice(1), process.execPath, rekindleScript, 'doctor', '--json', '--site', site],
      { seconds: 30 },
    );
    const findings = JSON.parse(doctor.stdout) as { check: string; verdict: string }[];
    expect(findings.filter(({ check }) => check === 'privileges')).toMatchObject([{ verdict: 'ok' }]);
    expect(findings.filter(({ check }) => check === 'DHCP servers')).toMatchObject([{ verdict: 'problem' }]);
    expect(await stopServing(child, 'SIGTERM')).toBe(0);
    service = undefined;
  });
});
