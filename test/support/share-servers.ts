import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runTool } from '#base/run-tool.ts';
import type { LabNetwork } from '#scripts/rehearsal/lab-network.ts';

/** File servers of a test, inside of a lab network: Debian's samba and nfs-ganesha. */

export interface ShareServer extends AsyncDisposable {
  /** SIGKILL for it and its children, as when the machine loses power. */
  kill(): Promise<void>;
}

export const smbUser = { user: 'recovery', password: 'a, secret with a comma' };

interface SambaOptions {
  readonly network: LabNetwork;
  /** For its state; made here. */
  readonly directory: string;
  /** On the lab's bridge. */
  readonly address: string;
  /** Shares by name, each with lines of its section. */
  readonly shares: Readonly<Record<string, readonly string[]>>;
  readonly global?: readonly string[];
}

export async function startSamba(options: SambaOptions): Promise<ShareServer> {
  const { network, directory, address, shares, global = [] } = options;
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, 'smb.conf');
  const users = path.join(directory, 'users');
  await writeFile(users, `root = ${smbUser.user}\n`);
  const folders = ['private', 'lock', 'state', 'cache', 'pid', 'ncalrpc'];
  for (const name of folders) await mkdir(path.join(directory, name), { recursive: true });
  const [privateFolder, lock, state, cache, pid, ncalrpc] = folders.map((name) => path.join(directory, name));
  await writeFile(
    file,
    [
      '[global]',
      ...[`private dir = ${privateFolder}`, `lock directory = ${lock}`, `state directory = ${state}`],
      ...[`cache directory = ${cache}`, `pid directory = ${pid}`, `ncalrpc dir = ${ncalrpc}`],
      ...[
        `interfaces = ${address}/24`,
        'bind interfaces only = yes',
        'disable netbios = yes',
        'smb ports = 445',
      ],
      ...[`username map = ${users}`, 'load printers = no', 'disable spoolss = yes', 'log level = 1'],
      ...[`log file = ${path.join(directory, 'log')}`, ...global],
      ...Object.entries(shares).flatMap(([name, lines]) => [`[${name}]`, ...lines]),
      '',
    ].join('\n'),
  );
  await runTool(
    'giving the test user of samba a password',
    { command: 'smbpasswd', debianPackage: 'samba-common-bin' },
    ['-c', file, '-s', '-a', 'root'],
    { input: Buffer.from(`${smbUser.password}\n${smbUser.password}\n`) },
  );
  const server = start(network, ['smbd', '--foreground', '--no-process-group', `--configfile=${file}`]);
  await answers(network, server, address, 445);
  return killable(server);
}

export async function startGanesha(options: {
  readonly network: LabNetwork;
  readonly directory: string;
  readonly address: string;
  /** Sections `EXPORT { … }`. */
  readonly exports: readonly string[];
}): Promise<ShareServer> {
  const { network, directory, address, exports } = options;
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, 'ganesha.conf');
  await writeFile(
    file,
    [
      `NFS_CORE_PARAM { Protocols = 4; Bind_addr = ${address}; Enable_NLM = false; Enable_RQUOTA = false; }`,
      `NFSV4 { Minor_Versions = 1, 2; Grace_Period = 5; Lease_Lifetime = 5; Graceless = true; RecoveryRoot = "${directory}"; }`,
      ...exports,
      '',
    ].join('\n'),
  );
  const log = path.join(directory, 'ganesha.log');
  const pid = path.join(directory, 'ganesha.pid');
  const server = start(network, ['ganesha.nfsd', '-F', '-f', file, '-L', log, '-p', pid, '-N', 'NIV_EVENT']);
  await answers(network, server, address, 2049).catch(async (cause: unknown) => {
    throw new Error(await readFile(log, 'utf8').catch(() => 'no log'), { cause });
  });
  return killable(server);
}

export function nfsExport(id: number, folder: string, ...lines: readonly string[]): string {
  return [
    `EXPORT { Export_Id = ${id}; Path = ${folder}; Pseudo = /export${id}; Protocols = 4; Transports = TCP;`,
    `SecType = sys; Squash = No_Root_Squash; FSAL { Name = VFS; } ${lines.join(' ')} }`,
  ].join('\n');
}

function start(network: LabNetwork, command: readonly string[]): ChildProcess {
  const [program, ...args] = network.inside(command);
  return spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
}

async function answers(
  network: LabNetwork,
  server: ChildProcess,
  address: string,
  port: number,
): Promise<void> {
  let said = '';
  server.stderr?.on('data', (part: Buffer) => {
    said = (said + part.toString()).slice(-2000);
  });
  const [program, ...args] = network.inside(['bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`]);
  for (let tries = 0; tries < 100; tries += 1) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}: ${said}`);
    const probe = spawn(program, args, { stdio: 'ignore' });
    const [status] = (await once(probe, 'exit')) as [number | null];
    if (status === 0) return;
    await sleep(100);
  }
  throw new Error(`nothing answers at ${address}:${port}: ${said}`);
}

/** The servers fork; `detached` made them a process group of their own. */
function killable(server: ChildProcess): ShareServer {
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
    const ended = once(server, 'exit');
    process.kill(-server.pid, 'SIGKILL');
    await ended;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}
