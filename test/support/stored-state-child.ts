import fs from 'node:fs';
import { parsePublicKey } from '#images/format/minisign.ts';
import { runStoredState } from './stored-state-hook.ts';

/** The same in a process of its own, to be killed; the store is behind a URL. */
const [disk = '', url = '', publicKey = '', chosen = ''] = process.argv.slice(2);
const key = parsePublicKey(fs.readFileSync(publicKey, 'utf8'));
await runStoredState({ disk, store: { source: { kind: 'http', url }, key }, chosen });
