import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { type ImageName, parseUtc } from '#images/format/image-name.ts';
import { type SecretKey, signBytes } from '#images/format/minisign.ts';
import { backupVersion, type SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { systemStateFolder } from '#images/stores/system-state-files.ts';
import { noise } from './restore-demo-disk.ts';

/** A backup in the shape that wbadmin gives it, with noise for content. */

export type BackupFiles = Readonly<Record<string, Uint8Array>>;

/** `20261120T020000Z` -> `Backup 2026-11-20 020000` */
export const backupName = (utc: string): string =>
  utc.replace(/^(\d{4})(\d\d)(\d\d)T(\d{6})Z$/, 'Backup $1-$2-$3 $4');

/** Files below the computer's folder, by their paths there. */
export function someBackup(utc: string, diskBytes = 300_000): BackupFiles {
  const backup = backupName(utc);
  return {
    MediaId: Buffer.from('{b0c5}'),
    'Catalog/BackupGlobalCatalog': noise(`catalog ${utc}`, 5000),
    'Catalog/GlobalCatalog': noise(`global ${utc}`, 5000),
    'SPPMetadataCache/{6f0a}': noise('metadata', 700),
    [`${backup}/BackupSpecs.xml`]: Buffer.from('<BackupSpecs/>'),
    [`${backup}/8c2f_Writer.xml`]: Buffer.from('<Writer/>'),
    [`${backup}/b2b0.vhdx`]: noise(`disk ${utc}`, diskBytes),
    [`${backup}/empty.xml`]: Buffer.alloc(0),
  };
}

export function writeFiles(folder: string, files: BackupFiles): void {
  for (const [file, bytes] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.writeFileSync(path.join(folder, file), bytes);
  }
}

/** A signed system state, written by hand as the format says (images/README.md, "System states"). */
export function writeSystemState(
  store: string,
  key: SecretKey,
  wanted: {
    readonly station: string;
    readonly utc: string;
    readonly computerName?: string;
    readonly files?: BackupFiles;
  },
): { readonly name: ImageName; readonly manifest: SystemStateManifest; readonly folder: string } {
  const { utc, computerName = wanted.station, files = someBackup(utc) } = wanted;
  const name = { station: stationNameSchema.parse(wanted.station), utc };
  const takenAt = `${parseUtc(utc)?.toISOString().slice(0, 19)}Z`;
  const manifest: SystemStateManifest = {
    formatVersion: 1,
    station: name.station,
    computerName,
    takenAt,
    version: backupVersion(takenAt),
    files: Object.entries(files).map(([file, bytes]) => ({
      path: file,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
  };
  const folder = systemStateFolder(store, name);
  writeFiles(path.join(folder, 'WindowsImageBackup', computerName), files);
  const bytes = Buffer.from(JSON.stringify(manifest));
  fs.writeFileSync(path.join(folder, 'manifest.json'), bytes);
  const signature = signBytes(bytes, key, `rekindle system state ${name.station}@${utc}`);
  fs.writeFileSync(path.join(folder, 'manifest.json.minisig'), signature);
  return { name, manifest, folder };
}
