import * as z from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * What a firmware's Secure Boot databases held when the passport was taken (UEFI 2.10, 32.4.1; SBAT.md of shim).
 * They change with firmware updates and Windows updates, and a boot loader that started yesterday is refused.
 */
export const secureBootKeysSchema = z.strictObject({
  /** Certificates that may sign boot loaders: SHA-256 of their DER bytes. */
  db: z.array(z.strictObject({ sha256, subject: z.string().max(512) })).max(64),
  /** Revoked: SHA-256 of boot loaders (Authenticode) and of certificates. */
  dbx: z.strictObject({ loaders: z.array(sha256).max(4096), certificates: z.array(sha256).max(64) }),
  /** Entries of a kind that is not looked at: hashes of certificates' to-be-signed part, and older hashes. */
  otherEntries: z.int().nonnegative(),
  /** shim's revocations by generation, `sbat,1,2023012900\nshim,2\n…`, where a shim has run. */
  sbatLevel: z.string().max(4096).optional(),
});
export type SecureBootKeys = z.infer<typeof secureBootKeysSchema>;
