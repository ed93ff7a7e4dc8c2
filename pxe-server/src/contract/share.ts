import * as z from 'zod';

/**
 * The share that holds the image store, as a job's answer names it: handed to an authorised job over TLS, kept
 * in memory, and never logged. The service looked the server's name up: a station needs no name server.
 */
const place = {
  /** As the configuration names it; for messages, and the name that an SMB server is asked for. */
  server: z.string().min(1).max(253),
  address: z.ipv4(),
};

export const smbShareSchema = z.strictObject({
  kind: z.literal('smb'),
  ...place,
  share: z.string().min(1).max(80),
  /** Below the share, with slashes; empty: the share itself. */
  folder: z.string().max(1000),
  user: z.string().min(1).max(104),
  domain: z.string().max(255).optional(),
  password: z.string().min(1).max(256),
  /** Every message is encrypted (SMB 3.1.1); a server that cannot is refused. */
  seal: z.boolean(),
});
export type SmbShare = z.infer<typeof smbShareSchema>;

export const nfsShareSchema = z.strictObject({
  kind: z.literal('nfs'),
  ...place,
  /** Absolute path as the server exports it. */
  path: z.string().startsWith('/').max(1000),
});

export const shareSchema = z.discriminatedUnion('kind', [smbShareSchema, nfsShareSchema]);
export type Share = z.infer<typeof shareSchema>;

/** `//server/share/folder` or `server:/path`, for messages. */
export function describeShare(share: Share): string {
  if (share.kind === 'nfs') return `${share.server}:${share.path}`;
  return `//${share.server}/${share.share}${share.folder === '' ? '' : `/${share.folder}`}`;
}
