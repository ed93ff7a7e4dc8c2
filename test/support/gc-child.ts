import fs from 'node:fs';
import { parsePublicKey } from '#images/format/minisign.ts';
import { collectGarbage } from '#images/upkeep/gc.ts';

/** A gc in a process of its own, to be killed: `node gc-child.ts <store> <public key file>`. Says each phase. */
const [store = '', keyFile = ''] = process.argv.slice(2);
const publicKey = parsePublicKey(fs.readFileSync(keyFile, 'utf8'));
const options = { graceMs: -1000, silentMs: 600_000, ignoreDamaged: [], dryRun: false };
await collectGarbage({ store, publicKey, ...options, onPhase: (phase) => console.log(phase) });
