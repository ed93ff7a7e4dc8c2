import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { sharedLibraries } from '#scripts/runtime/tool-files.ts';
import { resolvConf } from '../lab-network.ts';
import { memberConfiguration } from './lab-member.ts';
import { controllerAddress, labDomain, labRealm, type SambaHost } from './samba-host.ts';

/**
 * Membership of the demo station in the lab's domain. Another computer of the lab joins under the station's name while
 * the station is switched off; what the join wrote is then laid onto the station's disk.
 */
const debugfs = { command: 'debugfs', debianPackage: 'e2fsprogs' };
const net = '/usr/bin/net';

/** While the station is built: Samba's `net`, and no more of Samba. */
export async function installDomainTools(root: string): Promise<void> {
  for (const file of [net, ...(await sharedLibraries([net]))]) {
    const target = path.join(root, file);
    // Of the same release: what the station's own packages have put there stays.
    if (existsSync(target)) continue;
    await mkdir(path.dirname(target), { recursive: true });
    await copyFile(file, target);
  }
  for (const folder of [
    'etc/samba',
    'var/lib/samba/private',
    'var/cache/samba',
    'var/log/samba',
    'run/samba',
  ]) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await writeFile(path.join(root, 'etc/krb5.conf'), krb5Configuration);
}

const krb5Configuration = `[libdefaults]
default_realm = ${labRealm}
rdns = false
`;

/** Where the station's root file system begins, on a disk file that no machine has open. */
export interface SystemPartition {
  readonly disk: string;
  readonly firstByte: number;
}

/** Lays what `net ads join` wrote on `member` onto the station's root file system (ext4, cleanly unmounted). */
export async function layMembership({ disk, firstByte }: SystemPartition, member: SambaHost): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rekindle-membership-'));
  try {
    await cp(path.join(member.directory, 'lib', 'private', 'secrets.tdb'), path.join(folder, 'secrets.tdb'));
    await writeFile(path.join(folder, 'smb.conf'), memberConfiguration(member.name));
    await writeFile(path.join(folder, 'resolv.conf'), resolvConf([controllerAddress], labDomain));
    const files: readonly (readonly [string, string, string])[] = [
      ['secrets.tdb', '/var/lib/samba/private/secrets.tdb', '0100600'],
      ['smb.conf', '/etc/samba/smb.conf', '0100644'],
      ['resolv.conf', '/etc/resolv.conf', '0100644'],
    ];
    const commands = path.join(folder, 'commands');
    await writeFile(
      commands,
      files
        .flatMap(([file, place, mode]) => [
          `rm ${place}`,
          `write ${path.join(folder, file)} ${place}`,
          `set_inode_field ${place} mode ${mode}`,
          `set_inode_field ${place} uid 0`,
          `set_inode_field ${place} gid 0`,
          '',
        ])
        .join('\n'),
    );
    await runTool('making the demo station a member of the lab domain', debugfs, [
      ...['-w', '-f', commands, `${disk}?offset=${firstByte}`],
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
