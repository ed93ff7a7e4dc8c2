import fs from 'node:fs';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { byRule, parseScope } from '#runtime/restore/restore-scope.ts';
import { planFor } from './restore-demo-disk.ts';

/** A restore in a process of its own, to be killed: `node restore-child.ts <disk.json> <index> <store> <target> [volumes]`. */
const [diskFile = '', indexFile = '', store = '', target = '', volumes] = process.argv.slice(2);
const disk = JSON.parse(fs.readFileSync(diskFile, 'utf8'));
await restoreDisk({
  plan: planFor(
    { disk, indexFile },
    target,
    false,
    volumes === undefined ? byRule : parseScope(volumes, [disk]),
  ),
  path: target,
  source: { kind: 'directory', path: store },
  workers: 1,
});
