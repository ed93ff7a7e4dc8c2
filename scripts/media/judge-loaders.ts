import type { SecureBootKeys } from '#images/passport/secure-boot-keys.ts';
import { type PeImage, parseSbat } from './pe-image.ts';

export interface Loader extends Pick<PeImage, 'authenticodeSha256' | 'sbat'> {
  /** e.g. `BOOTX64.EFI` */
  readonly name: string;
  /** The firmware starts it itself; the others are started by shim, which has keys of its own. */
  readonly isFirst: boolean;
  /** Certificates in each signature, the signer's and those above it. */
  readonly signatures: readonly (readonly Signer[])[];
}

export interface Signer {
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
}

/** Why a station's Secure Boot would refuse a medium, a sentence each; empty when nothing speaks against it. */
export function judgeLoaders(loaders: readonly Loader[], keys: SecureBootKeys): string[] {
  return loaders.flatMap((loader) => [...byDatabases(loader, keys), ...bySbatLevel(loader, keys)]);
}

function byDatabases({ name, isFirst, authenticodeSha256, signatures }: Loader, { db, dbx }: SecureBootKeys) {
  if (dbx.loaders.includes(authenticodeSha256)) return [`${name} is revoked: its hash is in dbx.`];
  if (!isFirst) return [];
  if (signatures.length === 0) return [`${name} is not signed.`];
  const isRevoked = (chain: readonly Signer[]) =>
    chain.some(({ sha256 }) => dbx.certificates.includes(sha256));
  if (signatures.every(isRevoked)) return [`${name} is revoked: every certificate that signed it is in dbx.`];
  const isTrusted = (chain: readonly Signer[]) =>
    chain.some(({ sha256, issuer }) => db.some((each) => each.sha256 === sha256 || each.subject === issuer));
  // One good signature is enough (UEFI 2.10, 32.5.3.3).
  if (signatures.some((chain) => isTrusted(chain) && !isRevoked(chain))) return [];
  const signers = [...new Set(signatures.map((chain) => chain[0]?.issuer ?? 'somebody'))];
  return [`${name} is signed by ${signers.join(' and ')}, and db has ${names(db)}.`];
}

function bySbatLevel({ name, sbat }: Loader, { sbatLevel }: SecureBootKeys): string[] {
  if (sbatLevel === undefined) return [];
  return [...parseSbat(sbatLevel)]
    .filter(([component, level]) => component !== 'sbat' && (sbat.get(component) ?? level) < level)
    .map(
      ([component, level]) =>
        `${name} has ${component} of generation ${sbat.get(component)}, and SbatLevel asks for ${level}.`,
    );
}

function names(db: SecureBootKeys['db']): string {
  return db.length === 0 ? 'no certificate' : `only ${db.map(({ subject }) => subject).join(', ')}`;
}
