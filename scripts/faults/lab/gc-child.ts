import fs from 'node:fs';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { collectGarbage, type GcResult } from '#images/upkeep/gc.ts';

/** `node gc-child.ts <store> <public key file>`: removes every chunk that no image needs, however young. */
export function collectAll(store: string, publicKeyFile: string): Promise<GcResult> {
  const publicKey = parsePublicKey(fs.readFileSync(publicKeyFile, 'utf8'));
  return collectGarbage({ store, publicKey, graceMs: 0, silentMs: 0, ignoreDamaged: [], dryRun: false });
}

if (import.meta.main) {
  try {
    const [store = '', publicKeyFile = ''] = process.argv.slice(2);
    console.log(JSON.stringify(await collectAll(store, publicKeyFile)));
  } catch (error) {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
