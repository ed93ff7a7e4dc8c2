import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { errorChain, RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { listImages, readManifest } from '#images/stores/image-folder.ts';
import { readVerification } from '#images/upkeep/verification-record.ts';
import { tableLine } from '../../table-line.ts';
import { imageVerb, openImages, type StoreOption } from './open-images.ts';
import { parseStationName } from './station-facts.ts';

type Options = StoreOption & { readonly json?: boolean };

export function listCommand(): Command {
  return imageVerb('list')
    .description('all images, or those of one station: size, consistency, when they were last verified')
    .argument('[station]')
    .option('--json', 'as JSON')
    .action(list);
}

/** Images that are read at once: a share answers each question in a millisecond or ten. */
const atOnce = 16;

async function list(station: string | undefined, options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const images = await listImages(store, station === undefined ? undefined : parseStationName(station));
  const rows: Awaited<ReturnType<typeof summaryOf>>[] = [];
  for (let at = 0; at < images.length; at += atOnce)
    rows.push(
      ...(await Promise.all(images.slice(at, at + atOnce).map((name) => summaryOf(store, name, key)))),
    );
  if (options.json === true) console.log(JSON.stringify(rows));
  else print(rows, station);
  const damaged = rows.flatMap((row) => ('problem' in row ? [row.problem] : []));
  if (damaged.length > 0) {
    throw new RekindleError(
      'verification-failed',
      `${damaged.length} of ${rows.length} images cannot be restored:\n  ${damaged.join('\n  ')}`,
      { next: 'Copy them from a second store, or capture these stations again.' },
    );
  }
}

function print(rows: readonly Awaited<ReturnType<typeof summaryOf>>[], station?: string): void {
  if (rows.length === 0) {
    console.log(
      station === undefined
        ? 'There is no image yet. Next: rekindle enrol open --for 15m'
        : `${station} has no image. Next: rekindle enrol open --for 15m --station ${station}`,
    );
    return;
  }
  const line = tableLine(32, 8, 9, 9);
  console.log(line('image', 'how', 'disks', 'used', 'verified'));
  for (const row of rows) {
    if ('problem' in row) {
      console.log(line(row.ref, 'DAMAGED'));
      continue;
    }
    const { verified } = row;
    const when = verified === null ? 'never' : verified.at.slice(0, 10);
    const result = verified?.result === 'damaged' ? `DAMAGED ${when}` : when;
    const consistency =
      row.consistency === 'snapshot-with-application-writers' ? 'snapshot' : row.consistency;
    console.log(line(row.ref, consistency, formatBytes(row.bytes), formatBytes(row.usedBytes), result));
  }
}

/** One image that is damaged must not hide the others. */
async function summaryOf(store: string, name: ImageName, key: PublicKey) {
  const ref = formatImageRef(name);
  try {
    const { manifest, manifestSha256 } = await readManifest(store, name, key);
    const { capturedAt, consistency, disks, sequence } = manifest;
    const record = await readVerification(store, name);
    return {
      ref,
      capturedAt,
      sequence,
      consistency,
      bytes: disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      usedBytes: disks.reduce(
        (sum, { volumes }) => sum + volumes.reduce((used, { usedBytes }) => used + usedBytes, 0),
        0,
      ),
      /** Null: never, or another manifest than this one. */
      verified:
        record?.manifestSha256 === manifestSha256 ? { at: record.verifiedAt, result: record.result } : null,
    };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return { ref, problem: errorChain(error).join(': ') };
  }
}
