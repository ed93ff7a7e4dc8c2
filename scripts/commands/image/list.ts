import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { errorChain, RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { listImages, readManifest } from '#images/stores/image-folder.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';
import { parseStationName } from './station-facts.ts';

type Options = StoreOption & { readonly json?: boolean };

export function listCommand(): Command {
  return imageVerb('list')
    .description('all images, or those of one station')
    .argument('[station]')
    .option('--json', 'as JSON')
    .action(list);
}

async function list(station: string | undefined, options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const images = await listImages(store, station === undefined ? undefined : parseStationName(station));
  const rows = [];
  for (const name of images) rows.push(await summaryOf(store, name, key));
  if (options.json === true) console.log(JSON.stringify(rows));
  else {
    for (const row of rows) {
      const what = 'problem' in row ? 'DAMAGED' : `${row.consistency.padEnd(10)} ${formatBytes(row.bytes)}`;
      console.log(`${row.ref.padEnd(40)} ${what}`);
    }
    if (rows.length === 0) console.log('There is no image yet. Next: rekindle enrol open --for 15m');
  }
  const damaged = rows.flatMap((row) => ('problem' in row ? [row.problem] : []));
  if (damaged.length > 0) {
    throw new RekindleError(
      'verification-failed',
      `${damaged.length} of ${rows.length} images cannot be restored:\n  ${damaged.join('\n  ')}`,
      { next: 'Copy them from a second store, or capture these stations again.' },
    );
  }
}

/** One image that is damaged must not hide the others. */
async function summaryOf(store: string, name: ImageName, key: PublicKey) {
  const ref = formatImageRef(name);
  try {
    const { capturedAt, consistency, disks } = (await readManifest(store, name, key)).manifest;
    const bytes = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { ref, capturedAt, consistency, bytes };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return { ref, problem: errorChain(error).join(': ') };
  }
}
