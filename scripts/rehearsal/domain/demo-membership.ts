import { existsSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { removeOtherLanguages } from '#scripts/runtime/small-icu.ts';
import { sharedLibraries } from '#scripts/runtime/tool-files.ts';
import { resolvConf } from '../lab-network.ts';
import { memberConfiguration } from './lab-member.ts';
import { controllerAddress, labDomain, labRealm, type SambaHost } from './samba-host.ts';

/**
 * Membership of the demo station in the lab's domain, laid onto its mounted root file system while it is switched off.
 * Another computer of the lab has joined under the station's name; what the join wrote becomes the station's.
 */
const net = '/usr/bin/net';
/** Debian's own places of a member's secrets, below the root and in a host's folder of the lab. */
export const stationSecrets = 'var/lib/samba/private/secrets.tdb';
export const secretsOf = (host: SambaHost): string =>
  path.join(host.directory, 'lib', 'private', 'secrets.tdb');

const folders = [
  ...['etc/samba', 'var/lib/samba/private', 'var/cache/samba', 'var/log/samba'],
  // Empty: `net` only looks for it.
  'usr/lib/x86_64-linux-gnu/samba/ldb',
];

/** Samba's `net`, and no more of Samba: nothing of it runs unless it is called. */
export async function installDomainTools(root: string): Promise<void> {
  for (const file of [net, ...(await sharedLibraries([net]))]) {
    const target = path.join(root, file);
    // Of the same release: what the station's own packages have put there stays.
    if (existsSync(target)) continue;
    await mkdir(path.dirname(target), { recursive: true });
    if (path.basename(file).startsWith('libicudata.so')) await copyInEnglish(file, target);
    else await copyFile(file, target);
  }
  for (const folder of folders) await mkdir(path.join(root, folder), { recursive: true });
  // As Debian's package does.
  await writeFile(path.join(root, 'usr/lib/tmpfiles.d/samba.conf'), 'd /run/samba 0755 root root -\n');
  await writeFile(path.join(root, 'etc/krb5.conf'), krb5Configuration);
}

/** 30 of the 78 MB are the texts of all languages (ICU): every byte less is captured once and restored twice. */
async function copyInEnglish(icuData: string, target: string): Promise<void> {
  const work = await mkdtemp(path.join(tmpdir(), 'rekindle-icu-'));
  try {
    const copy = path.join(work, path.basename(icuData));
    await copyFile(icuData, copy);
    await removeOtherLanguages(copy, work);
    // It keeps its size: what is zero now becomes a hole.
    await runTool(`copying ${copy}`, { command: 'cp', debianPackage: 'coreutils' }, [
      ...['--sparse=always', copy, target],
    ]);
  } finally {
    await rm(work, { recursive: true });
  }
}

const krb5Configuration = `[libdefaults]
default_realm = ${labRealm}
rdns = false
`;

/** Makes the station the member that `member` has become with `net ads join`. */
export async function layMembership(root: string, member: SambaHost): Promise<void> {
  const secrets = path.join(root, stationSecrets);
  await copyFile(secretsOf(member), secrets);
  await chown(secrets, 0, 0);
  await chmod(secrets, 0o600);
  await writeFile(path.join(root, 'etc/samba/smb.conf'), memberConfiguration(member.name));
  await writeFile(path.join(root, 'etc/resolv.conf'), resolvConf([controllerAddress], labDomain));
}
