import fs from 'node:fs';
import { parseImageName } from '#images/format/image-name.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { verifyImages } from '#images/upkeep/verify.ts';

/** A slow verification in a process of its own, to be killed: `node upkeep-child.ts <store> <key file> <rate> <names…>`. */
const [store = '', keyFile = '', rate = '', ...names] = process.argv.slice(2);
await verifyImages({
  store,
  publicKey: parsePublicKey(fs.readFileSync(keyFile, 'utf8')),
  names: names.flatMap((name) => parseImageName(name) ?? []),
  limits: { bytesPerSecond: Number(rate) },
  onProgress: (done) => console.log(done),
});
