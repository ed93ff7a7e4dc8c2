import { inLoadOrder, type ModuleIndex } from './module-index.ts';
import type { DriverPackPlan } from './plan-driver-pack.ts';

/** How stations reach an image store that lies on a share. */
export type ShareKind = 'smb' | 'nfs';

/**
 * What mounts each kind. cifs asks for its ciphers by name while it mounts, so depmod's tables know only a part
 * of them: sealing with AES-GCM is `gcm`, which takes `ctr` and `ghash`, in the plain and in the fast variant.
 */
const roots: Readonly<Record<ShareKind, readonly string[]>> = {
  smb: ['cifs', 'ctr', 'ghash_generic', 'ghash_clmulni_intel'],
  nfs: ['nfsv4'],
};

/** The modules that mount the site's share: no station's hardware asks for them, the site's configuration does. */
export function planSharePack(kinds: readonly ShareKind[], index: ModuleIndex): DriverPackPlan {
  const modules = inLoadOrder(
    index,
    kinds.flatMap((kind) => roots[kind]),
  );
  return { kernel: index.kernel, modules, covers: [], uncovered: [] };
}

/**
 * What each kind asks the kernel for, by name. SMB 3.1.1 seals with AES-GCM (or CCM), signs with AES-CMAC, derives its
 * keys with HMAC-SHA-256, protects the negotiation with SHA-512, and logs on with HMAC-MD5 (MS-SMB2 3.1.4, MS-NLMP).
 */
export function shareNeeds(kind: ShareKind): readonly string[] {
  return kind === 'nfs'
    ? ['nfsv4', 'nfs', 'sunrpc']
    : ['cifs', 'gcm', 'ctr', 'ghash', 'ccm', 'cmac', 'aes', 'sha256', 'sha512', 'hmac', 'md5'];
}
