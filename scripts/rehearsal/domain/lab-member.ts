import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { administrator } from './lab-controller.ts';
import { labDomain, labRealm, labWorkgroup, type SambaHost } from './samba-host.ts';

/** smb.conf of a member of the lab's domain; the demo station has the same. */
export const memberConfiguration = (name: string): string =>
  [
    '[global]',
    `netbios name = ${name}`,
    `workgroup = ${labWorkgroup}`,
    `realm = ${labRealm}`,
    'security = ads',
    'idmap config * : backend = tdb',
    'idmap config * : range = 10000-99999',
    // The rehearsal changes it by hand, at a moment that it knows.
    'machine password timeout = 0',
    'disable netbios = yes',
    '',
  ].join('\n');

async function configureMember(host: SambaHost): Promise<void> {
  await writeFile(path.join(host.directory, 'etc', 'smb.conf'), memberConfiguration(host.name));
}

export async function joinDomain(host: SambaHost, controller: string): Promise<void> {
  await configureMember(host);
  await host.run(`joining ${host.name} to ${labDomain}`, 'net', [
    ...['ads', 'join', `--user=${administrator.user}%${administrator.password}`],
    ...['--no-dns-updates', '-S', controller],
  ]);
}

/** What Windows and Samba do by themselves every 30 days. */
export async function changeMachinePassword(host: SambaHost): Promise<void> {
  await host.run(`changing the machine password of ${host.name}`, 'net', ['ads', 'changetrustpw']);
}

export interface TrustProof {
  /** LDAP with the machine account: also a password that was replaced once is good for it. */
  readonly testjoin: boolean;
  /** The secure channel to a controller's NETLOGON: the proof that counts. */
  readonly secureChannel: boolean;
  readonly said: string;
}

/** Starts winbindd for the time of the question. */
export async function proveTrust(host: SambaHost): Promise<TrustProof> {
  const testjoin = await host.call('net', ['ads', 'testjoin']);
  const winbindd = host.spawn('winbindd', ['--foreground', '--no-process-group', '--debug-stdout']);
  winbindd.stderr?.resume();
  try {
    let said = '';
    for (let tries = 0; tries < 200; tries += 1) {
      const ping = await host.call('wbinfo', ['--ping']);
      if (ping.status === 0) break;
      if (winbindd.exitCode !== null) throw new Error(`winbindd ended with status ${winbindd.exitCode}`);
      await sleep(100);
    }
    const check = await host.call('wbinfo', ['--check-secret']);
    said = `${testjoin.stderr}${check.stdout.toString()}${check.stderr}`;
    return { testjoin: testjoin.status === 0, secureChannel: check.status === 0, said };
  } finally {
    const ended = winbindd.exitCode === null ? once(winbindd, 'exit') : Promise.resolve();
    winbindd.kill('SIGTERM');
    await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
    await host.stopAll();
  }
}
