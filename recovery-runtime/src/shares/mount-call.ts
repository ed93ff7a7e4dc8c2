import type { Share } from '#contract/share.ts';

/** A capture writes; a restore must not be able to. */
export type ShareAccess = 'read' | 'write';

/** One program that mounts a share. The secret, where there is one, goes to its descriptor 3 and nowhere else. */
export interface MountCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secret?: string;
}

/** What runs on a share is nobody's; what is read from it is data. */
const always: readonly string[] = ['nosuid', 'nodev', 'noexec'];

/**
 * Who waits for a server that went away gets an error, and is not held for ever: both kinds are mounted soft. An
 * SMB connection that is silent for twice the echo interval is made anew. NFS asks again after 10 s, 20 s, 30 s.
 */
const smbPatience: readonly string[] = ['soft', 'echo_interval=5'];
const nfsPatience: readonly string[] = ['softerr', 'timeo=100', 'retrans=3'];

/** mount.cifs (cifs-utils) and, for NFS, busybox mount with the options that the kernel itself reads. */
export function planMountCall(share: Share, folder: string, access: ShareAccess): MountCall {
  const mode = access === 'read' ? 'ro' : 'rw';
  if (share.kind === 'nfs') {
    const options = [
      ...[mode, ...always, 'vers=4.2', 'proto=tcp', 'sec=sys'],
      ...[`addr=${share.address}`, 'clientaddr=0.0.0.0', ...nfsPatience],
    ];
    const source = `${share.address}:${share.path}`;
    return {
      program: '/bin/busybox',
      args: ['mount', '-t', 'nfs4', '-o', options.join(','), source, folder],
      env: {},
    };
  }
  const options = [
    ...[mode, ...always, 'vers=3.1.1', ...(share.seal ? ['seal'] : [])],
    ...[`ip=${share.address}`, `username=${share.user}`, `domain=${share.domain ?? ''}`],
    ...['uid=0', 'gid=0', 'file_mode=0600', 'dir_mode=0700', ...smbPatience],
  ];
  const below = share.folder === '' ? '' : `/${share.folder}`;
  return {
    program: '/bin/mount.cifs',
    args: [`//${share.server}/${share.share}${below}`, folder, '-o', options.join(',')],
    // man 8 mount.cifs: the number of an open descriptor that the password is read from.
    env: { PASSWD_FD: '3' },
    secret: share.password,
  };
}
