/** Where a share is, as a person writes it in the configuration. Names only; nothing is asked. */

export interface SmbLocation {
  readonly server: string;
  readonly share: string;
  /** Below the share, with slashes; empty: the share itself. */
  readonly folder: string;
}

export interface NfsLocation {
  readonly server: string;
  /** Absolute path as the server exports it. */
  readonly path: string;
}

/** No comma, quote or control character: all of these become mount options or parts of a path. */
const name = '[^/\\\\:,"\\s\\p{Cc}]+';
const smbPattern = new RegExp(`^//(${name})/([^/\\\\:,"\\p{Cc}]+)((?:/[^/\\\\:,"\\p{Cc}]+)*)/?$`, 'u');
const nfsPattern = new RegExp(`^(${name}):(/[^,"\\p{Cc}]*)$`, 'u');

/** `//server/share[/folder]` */
export function parseSmbLocation(text: string): SmbLocation | undefined {
  const [, server, share, below] = smbPattern.exec(text) ?? [];
  if (server === undefined || share === undefined || hasDots(below ?? '')) return undefined;
  return { server, share, folder: (below ?? '').slice(1) };
}

/** `server:/export` */
export function parseNfsLocation(text: string): NfsLocation | undefined {
  const [, server, path] = nfsPattern.exec(text) ?? [];
  return server === undefined || path === undefined || hasDots(path) ? undefined : { server, path };
}

const hasDots = (path: string): boolean => path.split('/').some((part) => part === '.' || part === '..');
