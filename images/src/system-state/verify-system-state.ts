import { errorChain, RekindleError } from '#base/errors.ts';
import type { ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import type { SystemStateManifest } from '../format/system-state-manifest.ts';
import type { StoreRef } from '../stores/chunk-store.ts';
import { readSystemStateFile } from '../stores/system-state-file.ts';
import { readSystemState } from '../stores/system-state-files.ts';

export interface VerifiedState {
  readonly name: ImageName;
  /** Absent: the manifest is not believed. */
  readonly manifest?: SystemStateManifest;
  /** Empty: whole. */
  readonly problems: readonly string[];
}

/**
 * Signature, manifest, and every byte of every file.
 * @throws RekindleError `store-unreachable`, `interrupted`: nothing is known then
 */
export async function verifySystemState(
  ref: StoreRef,
  name: ImageName,
  key: PublicKey,
  { signal, onBytes }: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<VerifiedState> {
  let manifest: SystemStateManifest;
  try {
    manifest = await readSystemState(ref, name, key);
  } catch (error) {
    return { name, problems: [damageIn(error)] };
  }
  const problems: string[] = [];
  for (const file of manifest.files) {
    try {
      for await (const part of readSystemStateFile(ref, name, manifest, file, signal)) onBytes?.(part.length);
    } catch (error) {
      if (signal?.aborted === true)
        throw new RekindleError('interrupted', 'Verifying system states: interrupted', {
          next: 'Start it again: it begins anew.',
        });
      problems.push(damageIn(error));
    }
  }
  return { name, manifest, problems };
}

/** @throws the error, where it says nothing about the state */
function damageIn(error: unknown): string {
  if (error instanceof RekindleError && error.code === 'verification-failed')
    return errorChain(error).join(': ');
  throw error;
}
