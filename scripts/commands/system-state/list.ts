import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { errorChain, RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { totalBytes } from '#images/format/system-state-room.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { listSystemStates, readSystemState } from '#images/stores/system-state-files.ts';
import { say } from '../../fit-terminal.ts';
import { tableLine } from '../../table-line.ts';
import { imageVerb, openImages, type StoreOption } from '../image/open-images.ts';
import { parseStationName } from '../image/station-facts.ts';
import { whatNext } from './what-next.ts';

type Options = StoreOption & { readonly json?: boolean };

export function listCommand(): Command {
  return imageVerb('list')
    .description('all system states, or those of one station: computer, size, and what wbadmin calls them')
    .argument('[station]')
    .option('--json', 'as JSON')
    .action(list);
}

async function list(station: string | undefined, options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const ref = parseStore(store);
  const names = await listSystemStates(ref, station === undefined ? undefined : parseStationName(station));
  const rows: Awaited<ReturnType<typeof summaryOf>>[] = [];
  for (const name of names) rows.push(await summaryOf(ref, name, key));
  if (options.json === true) console.log(JSON.stringify(rows));
  else print(rows, station);
  const damaged = rows.flatMap((row) => ('problem' in row ? [row.problem] : []));
  if (damaged.length > 0) {
    throw new RekindleError(
      'verification-failed',
      `${damaged.length} of ${rows.length} system states cannot be used:\n  ${damaged.join('\n  ')}`,
      { next: whatNext(damaged) },
    );
  }
}

function print(rows: readonly Awaited<ReturnType<typeof summaryOf>>[], station?: string): void {
  if (rows.length === 0) {
    const what = station === undefined ? 'There is no system state yet' : `${station} has no system state`;
    say(`${what}. Next: rekindle system-state add ${station ?? 'STATION'} FOLDER`);
    return;
  }
  const line = tableLine(32, 16, 9);
  console.log(line('system state', 'computer', 'size', 'version'));
  for (const row of rows) {
    if ('problem' in row) console.log(line(row.ref, 'DAMAGED'));
    else console.log(line(row.ref, row.computerName, formatBytes(row.bytes), row.version));
  }
}

/** One that is damaged must not hide the others. */
async function summaryOf(store: StoreRef, name: ImageName, key: PublicKey) {
  const ref = formatImageRef(name);
  try {
    const { computerName, takenAt, version, files } = await readSystemState(store, name, key);
    return { ref, computerName, takenAt, version, files: files.length, bytes: totalBytes(files) };
  } catch (error) {
    if (!(error instanceof RekindleError) || error.code === 'store-unreachable') throw error;
    return { ref, problem: errorChain(error).join(': ') };
  }
}
