import * as z from 'zod';
import { sha256HexSchema, stationNameSchema } from './image-manifest.ts';
import { findPathConflict, isWindowsName, isWindowsPath } from './windows-path.ts';

/** `manifest.json` of a system state (images/README.md, "System states"). Signed as the exact bytes of the file. */

/**
 * How `wbadmin` names a backup: MM/DD/YYYY-HH:MM, in UTC (`wbadmin get versions`).
 * @param takenAt ISO 8601, UTC
 */
export function backupVersion(takenAt: string): string {
  const [, year, month, day, time] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)/.exec(takenAt) ?? [];
  return `${month}/${day}/${year}-${time}`;
}

/** A file of wbadmin's folder of the computer. */
export const systemStateFileSchema = z.strictObject({
  /** Below `WindowsImageBackup/<computerName>`, `/` between folders. */
  path: z.string().refine(isWindowsPath, 'a path of names that Windows takes, without . and ..'),
  bytes: z.int().nonnegative(),
  sha256: sha256HexSchema,
});
export type SystemStateFile = z.infer<typeof systemStateFileSchema>;

export const systemStateManifestSchema = z
  .strictObject({
    formatVersion: z.literal(1),
    station: stationNameSchema,
    /** As wbadmin's folder is called. */
    computerName: z.string().max(63).refine(isWindowsName, 'a name that Windows takes'),
    /** By the name of wbadmin's folder `Backup YYYY-MM-DD HHMMSS`, UTC. */
    takenAt: z.iso.datetime({ precision: 0 }),
    /** MM/DD/YYYY-HH:MM: what `wbadmin start systemstaterecovery -version:` takes. */
    version: z.string(),
    files: z
      .array(systemStateFileSchema)
      .min(1)
      .refine((files) => findPathConflict(files.map(({ path }) => path)) === undefined, {
        error: 'two files that are one for Windows',
      }),
  })
  .refine(({ takenAt, version }) => version === backupVersion(takenAt), {
    error: 'the version is not that of takenAt',
    path: ['version'],
  });
export type SystemStateManifest = z.infer<typeof systemStateManifestSchema>;
