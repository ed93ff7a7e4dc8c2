import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { createControllerCertificate } from './lab-certificates.ts';
import { labDomain, labRealm, labWorkgroup, type SambaHost } from './samba-host.ts';

/** Active Directory domain controllers of the lab: Debian's Samba, provisioned and started as an administrator would. */

/** Of the lab's own domain, which ends with the test. */
export const administrator = { user: 'Administrator', password: 'Lab-Admin-2026!' };

const startSeconds = 90;
const onlyItsCard = ['--option=interfaces=lo eth0', '--option=bind interfaces only=yes'];

/** The first controller of a new domain. */
export async function provisionDomain(host: SambaHost, ca: string): Promise<void> {
  await host.run(`provisioning the domain ${labDomain} on ${host.name}`, 'samba-tool', [
    ...['domain', 'provision', `--realm=${labRealm}`, `--domain=${labWorkgroup}`, '--server-role=dc'],
    ...['--dns-backend=SAMBA_INTERNAL', `--adminpass=${administrator.password}`],
    ...[`--host-name=${host.name}`, `--host-ip=${host.address}`, ...onlyItsCard],
  ]);
  await settle(host, ca);
}

/** One more controller; the first one has to be running. */
export async function joinAsController(host: SambaHost, ca: string): Promise<void> {
  await host.run(`making ${host.name} a controller of ${labDomain}`, 'samba-tool', [
    ...['domain', 'join', labDomain, 'DC', `--realm=${labRealm}`, '--dns-backend=SAMBA_INTERNAL'],
    ...[`--username=${administrator.user}`, `--password=${administrator.password}`, ...onlyItsCard],
  ]);
  await settle(host, ca);
}

/** Replication within seconds where a domain of people waits for minutes. */
const soon = [
  ...['dreplsrv:periodic_startup_interval = 3', 'dreplsrv:periodic_interval = 4'],
  ...['dreplsrv:notify_startup_interval = 3', 'dreplsrv:notify_interval = 1'],
  ...['kccsrv:periodic_startup_interval = 3', 'kccsrv:periodic_interval = 15'],
];

/** It keeps no log of its directory, but serves what is written into this one. */
const eventLog = ['eventlog list = "Directory Service"'];

async function settle(host: SambaHost, ca: string): Promise<void> {
  const file = path.join(host.directory, 'etc', 'smb.conf');
  const certificate = await createControllerCertificate(
    ca,
    dnsNameOf(host),
    path.join(host.directory, 'tls'),
  );
  const written = (await readFile(file, 'utf8'))
    .split('\n')
    // Provisioning takes the name server of the building machine, which may be this controller itself.
    .filter((line) => !/dns forwarder/.test(line));
  const at = written.findIndex((line) => line.startsWith('[global]'));
  written.splice(at + 1, 0, ...[...certificate, ...soon, ...eventLog].map((line) => `\t${line}`));
  await writeFile(file, written.join('\n'));
}

const dnsNameOf = (host: SambaHost): string => `${host.name.toLowerCase()}.${labDomain}`;

export interface RunningController extends AsyncDisposable {
  readonly host: SambaHost;
  readonly dnsName: string;
  /** Ends it in order; what it leaves behind is killed. */
  stop(): Promise<void>;
}

/** Resolves when it answers: LDAP, DNS, Kerberos and RPC, in this order of coming up. */
export async function startController(host: SambaHost): Promise<RunningController> {
  const server = host.spawn('samba', ['--interactive', '--debug-stdout', '--model=prefork']);
  let said = '';
  server.stderr?.on('data', (part: Buffer) => {
    said = (said + part.toString()).slice(-2000);
  });
  const stop = (): Promise<void> => stopServer(host, server);
  try {
    await waitUntilReady(host, server);
  } catch (cause) {
    await stop();
    throw new RekindleError('unexpected', `the domain controller ${host.name} did not start`, {
      cause: new Error(said, { cause }),
    });
  }
  return { host, dnsName: dnsNameOf(host), stop, [Symbol.asyncDispose]: stop };
}

async function stopServer(host: SambaHost, server: ChildProcess): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await Promise.race([ended, sleep(10_000, undefined, { ref: false })]);
  }
  await host.stopAll();
}

async function waitUntilReady(host: SambaHost, server: ChildProcess): Promise<void> {
  const end = Date.now() + startSeconds * 1000;
  const checks: readonly (readonly [string, readonly string[]])[] = [
    ['ldbsearch', ['-H', `ldap://${host.address}`, '-b', '', '-s', 'base', 'isSynchronized']],
    ['host', ['-W', '2', '-t', 'SRV', `_ldap._tcp.${labDomain}`, host.address]],
    // An RPC over SMB that needs the session setup of the domain: files alone are listed too early.
    ['net', ['rpc', 'info', '-S', dnsNameOf(host), `--user=${administrator.user}%${administrator.password}`]],
  ];
  for (const [command, args] of checks) {
    for (;;) {
      const { status, stdout, stderr } = await host.call(command, args);
      if (status === 0 && !/isSynchronized: FALSE/.test(stdout.toString())) break;
      if (server.exitCode !== null) throw new Error(`it ended with status ${server.exitCode}`);
      if (Date.now() > end) throw new Error(`${command}: ${stdout.toString()}${stderr}`);
      await sleep(150);
    }
  }
}
