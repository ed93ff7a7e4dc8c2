import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { StationName } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import { type SecretKey, signBytes } from '../format/minisign.ts';
import {
  backupVersion,
  type SystemStateFile,
  type SystemStateManifest,
  systemStateManifestSchema,
} from '../format/system-state-manifest.ts';
import { syncFolder, writeFileDurably } from '../stores/durable-write.ts';
import { isThere, manifestFile, signatureFile } from '../stores/named-folder.ts';
import { publishFolder } from '../stores/publish-folder.ts';
import { compared, readLocalFile } from '../stores/system-state-file.ts';
import { backupFolder, systemStateFolder } from '../stores/system-state-files.ts';
import { changed, copyFile } from './copy-file.ts';
import { type FoundBackup, listFiles } from './find-backup.ts';

export interface AddOptions {
  /** Folder of the store. */
  readonly store: string;
  readonly station: StationName;
  readonly backup: FoundBackup;
  readonly signingKey: SecretKey;
  readonly onProgress?: (phase: 'copying' | 'checking', doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Copies a backup into the store, signs it and reads it back; until then there is no system state, and what fails or
 * is interrupted leaves nothing.
 * @throws RekindleError `usage` (the name is taken, the source changed), `store-unreachable`, `verification-failed`,
 * `interrupted`
 */
export async function addSystemState(
  options: AddOptions,
): Promise<{ readonly name: ImageName; readonly manifest: SystemStateManifest }> {
  const { store, station, backup, signingKey, signal } = options;
  const name: ImageName = { station, utc: backup.utc };
  const ref = formatImageRef(name);
  const what = `Adding the system state ${ref} to ${store}`;
  const folder = systemStateFolder(store, name);
  if (await isThere(folder))
    throw new RekindleError('usage', `${what}: this backup is there already`, {
      next: 'Add a newer one (wbadmin start systemstatebackup); if this one is damaged (rekindle system-state verify), remove it first.',
    });
  let manifest: SystemStateManifest | undefined;
  try {
    await publishFolder(folder, async (hidden) => {
      const copy = path.join(hidden, backupFolder, backup.computerName);
      manifest = manifestOf(station, backup, await copyFiles(options, copy));
      const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
      const signature = signBytes(bytes, signingKey, `rekindle system state ${ref}`);
      await writeFileDurably(path.join(hidden, signatureFile), Buffer.from(signature));
      await writeFileDurably(path.join(hidden, manifestFile), bytes);
      await readBack(options, copy, manifest, ref);
    });
  } catch (cause) {
    if (signal?.aborted === true)
      throw new RekindleError('interrupted', `${what}: interrupted`, {
        next: 'Nothing was added; start it again.',
      });
    if (cause instanceof RekindleError) throw cause;
    throw new RekindleError('store-unreachable', what, {
      cause,
      next: 'Check space and rights of the store; nothing was added.',
    });
  }
  return { name, manifest: manifest as SystemStateManifest };
}

async function copyFiles(
  { backup, onProgress, signal }: AddOptions,
  target: string,
): Promise<SystemStateFile[]> {
  const files: SystemStateFile[] = [];
  const folders = new Set([path.dirname(target), target]);
  await mkdir(target, { recursive: true });
  let done = 0;
  for (const file of backup.files) {
    const copy = path.join(target, file.path);
    for (let at = path.dirname(copy); at !== target; at = path.dirname(at)) folders.add(at);
    await mkdir(path.dirname(copy), { recursive: true });
    const count = (bytes: number): void => {
      done += bytes;
      onProgress?.('copying', done, backup.bytes);
    };
    const sha256 = await copyFile(backup.folder, file, copy, count, signal);
    files.push({ path: file.path, bytes: file.bytes, sha256 });
  }
  for (const folder of folders) await syncFolder(folder);
  await assertUnchanged(backup);
  return files;
}

/** wbadmin that began to write meanwhile would leave half of each backup. */
async function assertUnchanged({ folder, files }: FoundBackup): Promise<void> {
  const found = new Map((await listFiles(folder)).map((file) => [file.path, file]));
  for (const { path: file, bytes, modifiedMs } of files) {
    const now = found.get(file);
    found.delete(file);
    if (now?.bytes !== bytes || now.modifiedMs !== modifiedMs) throw changed(path.join(folder, file));
  }
  const [more] = found.keys();
  if (more !== undefined) throw changed(path.join(folder, more));
}

function manifestOf(
  station: StationName,
  { computerName, utc }: FoundBackup,
  files: readonly SystemStateFile[],
): SystemStateManifest {
  const takenAt = utc.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z');
  return systemStateManifestSchema.parse({
    formatVersion: 1,
    station,
    computerName,
    takenAt,
    version: backupVersion(takenAt),
    files,
  } satisfies Record<keyof SystemStateManifest, unknown>);
}

async function readBack(
  { store, backup, onProgress, signal }: AddOptions,
  folder: string,
  { files }: SystemStateManifest,
  ref: string,
): Promise<void> {
  let done = 0;
  for (const file of files) {
    const bytes = readLocalFile(store, path.join(folder, file.path), signal);
    for await (const part of compared(bytes, file, ref)) {
      done += part.length;
      onProgress?.('checking', done, backup.bytes);
    }
  }
}
