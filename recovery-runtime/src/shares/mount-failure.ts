import type { Share } from '#contract/share.ts';

/** Why a share cannot be mounted, in words, and what to do about it. */
export interface MountFailure {
  readonly sentence: string;
  readonly next: string;
}

interface Rule {
  readonly kind: Share['kind'];
  /** Found in the kernel's lines or in what the mount program said. */
  readonly sign: RegExp;
  readonly failure: (share: Share) => MountFailure;
}

const user = (share: Share): string =>
  share.kind === 'smb' ? `${share.domain === undefined ? '' : `${share.domain}\\`}${share.user}` : '';

/** The first rule whose sign is there; those that name a reason stand before those that name a symptom. */
const rules: readonly Rule[] = [
  {
    kind: 'smb',
    sign: /STATUS_LOGON_FAILURE|STATUS_WRONG_PASSWORD|STATUS_NO_SUCH_USER/,
    failure: (share) => ({
      sentence: `the server does not know the user ${user(share)}, or the password is wrong`,
      next: 'Correct share.user and the file of share.passwordFile on the Rekindle server, then try again.',
    }),
  },
  {
    kind: 'smb',
    sign: /STATUS_ACCOUNT_(LOCKED_OUT|DISABLED|EXPIRED|RESTRICTION)|STATUS_PASSWORD_(EXPIRED|MUST_CHANGE)/,
    failure: (share) => ({
      sentence: `the account ${user(share)} is locked, disabled or expired on the server`,
      next: "Put the account right on the share's server, then try again.",
    }),
  },
  {
    kind: 'smb',
    sign: /BAD_NETWORK_NAME|BAD_NETWORK_PATH/,
    failure: (share) => ({
      sentence: `the server has no share "${share.kind === 'smb' ? share.share : ''}"`,
      next: 'Correct share.smb in rekindle.yaml: //server/share or //server/share/folder.',
    }),
  },
  {
    kind: 'smb',
    sign: /STATUS_OBJECT_(NAME|PATH)_NOT_FOUND|cifs_mount failed w\/return code = -2/,
    failure: (share) => ({
      sentence: `the share has no folder "${share.kind === 'smb' ? share.folder : ''}"`,
      next: 'Correct the folder in share.smb of rekindle.yaml, or create it.',
    }),
  },
  {
    kind: 'smb',
    sign: /Encryption is not supported|server doesn't support encryption/,
    failure: () => ({
      sentence: 'the server cannot encrypt, and this site asks for it',
      next: 'Let the server encrypt (samba: server smb encrypt), or write share.seal: false.',
    }),
  },
  {
    kind: 'smb',
    sign: /Dialect not supported by server|[Ii]nvalid dialect/,
    failure: () => ({
      sentence: 'the server does not speak SMB 3.1.1',
      next: 'Allow SMB 3.1.1 on the server (samba: server max protocol = SMB3_11); older versions are refused.',
    }),
  },
  {
    kind: 'smb',
    sign: /STATUS_ACCESS_DENIED|error\(13\)|return code = -13/,
    failure: (share) => ({
      sentence: `${user(share)} may not use this share`,
      next: "Give the user the right on the share and on its folder, on the share's server.",
    }),
  },
  {
    kind: 'nfs',
    sign: /[Pp]ermission denied|Operation not permitted|access denied/,
    failure: (share) => ({
      sentence: `the server refuses ${share.kind === 'nfs' ? share.path : ''} to this station's address`,
      next: "Export it to the stations' network (read and write for captures), then try again.",
    }),
  },
  {
    kind: 'nfs',
    sign: /No such file or directory/,
    failure: (share) => ({
      sentence: `the server exports no ${share.kind === 'nfs' ? share.path : ''}, or not to this station`,
      next: "Correct share.nfs in rekindle.yaml, or export it to the stations' network.",
    }),
  },
  {
    kind: 'nfs',
    sign: /[Pp]rotocol not supported|version not supported|Protocol family not supported|Invalid argument/,
    failure: () => ({
      sentence: 'the server does not speak NFS 4.2',
      next: 'Allow NFS 4.2 on the server; older versions are refused.',
    }),
  },
];

const silent: RegExp =
  /timed out|[Hh]ost is down|error\((110|112|113)\)|No route to host|unreachable|Connection refused/;

/** @param said what the mount program wrote and what the kernel said meanwhile, a line each */
export function explainMountFailure(share: Share, said: readonly string[]): MountFailure {
  const text = said.join('\n');
  const rule = rules.find(({ kind, sign }) => kind === share.kind && sign.test(text));
  if (rule !== undefined) return rule.failure(share);
  if (silent.test(text)) {
    return {
      sentence: `the server ${share.server} (${share.address}) does not answer`,
      next: 'Check that the server runs and that the stations reach it, then try again.',
    };
  }
  const last = said.filter((line) => line.trim() !== '').at(-1);
  return {
    sentence: last === undefined ? 'the mount program failed without a word' : last.trim(),
    next: "Look at the log of the share's server, then try again.",
  };
}
