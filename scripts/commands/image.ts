import { resolve } from 'node:path';
import { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { errorChain, RekindleError } from '#base/errors.ts';
import { distinctChunkIds, parseDiskIndex } from '#images/format/disk-index.ts';
import { type StationName, stationNameSchema } from '#images/format/image-manifest.ts';
import { formatImageRef, type ImageName, parseImageRef } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { listImages, readListedFile, readManifest, resolveImage } from '#images/stores/image-folder.ts';
import { openStore } from '#images/stores/open-store.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';

type Options = SiteOption & { readonly store?: string; readonly json?: boolean };

export function imageCommand(): Command {
  const command = new Command('image').description('images in the store');
  const verb = (name: string) =>
    withSite(command.command(name)).option('--store <folder>', "another store than the site's");
  verb('list')
    .description('all images, or those of one station')
    .argument('[station]')
    .option('--json', 'as JSON')
    .action(list);
  verb('show')
    .description('print the manifest of an image, after checking its signature')
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .action(async (ref: string, options: Options) => {
      const { store, key } = await openImages(options);
      console.log(
        JSON.stringify(readManifest(store, resolveImage(store, parseImageRef(ref)), key).manifest, null, 2),
      );
    });
  verb('verify')
    .description('check signature, files and every chunk of an image')
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .action(async (ref: string, options: Options) => {
      const { store, key } = await openImages(options);
      await verify(store, resolveImage(store, parseImageRef(ref)), key);
    });
  return command;
}

async function openImages(options: Options): Promise<{ readonly store: string; readonly key: PublicKey }> {
  const { configuration, paths } = await openSite(options);
  const store =
    options.store === undefined ? storeFolder(configuration, paths.folder) : resolve(options.store);
  return { store, key: await readSigningPublicKey(paths) };
}

async function list(station: string | undefined, options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const images = listImages(store, station === undefined ? undefined : parseStationName(station));
  const rows = images.map((name) => summaryOf(store, name, key));
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
function summaryOf(store: string, name: ImageName, key: PublicKey) {
  const ref = formatImageRef(name);
  try {
    const { capturedAt, consistency, disks } = readManifest(store, name, key).manifest;
    const bytes = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { ref, capturedAt, consistency, bytes };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return { ref, problem: errorChain(error).join(': ') };
  }
}

function parseStationName(text: string): StationName {
  const name = stationNameSchema.safeParse(text);
  if (name.success) return name.data;
  throw new RekindleError('usage', `"${text}" is no station: ${name.error.issues[0]?.message ?? ''}`);
}

/** A chunk that is bad is named, and the rest is checked all the same. */
async function verify(store: string, name: ImageName, key: PublicKey): Promise<void> {
  const { manifest } = readManifest(store, name, key);
  for (const { name: file } of manifest.files) readListedFile(store, name, manifest, file);
  const problems: string[] = [];
  let checked = 0;
  for (const { diskIndex } of manifest.disks) {
    const index = parseDiskIndex(readListedFile(store, name, manifest, diskIndex), diskIndex);
    const chunks = openStore({ kind: 'directory', path: store }, index.digest);
    for (const id of distinctChunkIds(index)) {
      await chunks.get(id).catch((error: unknown) => {
        problems.push(error instanceof Error ? error.message : String(error));
      });
      checked += 1;
    }
    await chunks.close();
  }
  if (problems.length > 0) {
    throw new RekindleError(
      'verification-failed',
      `Image ${formatImageRef(name)} has ${problems.length} bad chunks of ${checked}:\n  ${problems.slice(0, 20).join('\n  ')}`,
      { next: 'Copy these chunks from a second store, or capture the station again.' },
    );
  }
  console.log(
    `Image ${formatImageRef(name)} is whole: signature, ${manifest.files.length} files, ${checked} chunks.`,
  );
}
