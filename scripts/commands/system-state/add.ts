import { type Command, InvalidArgumentError } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { listSystemStates, readSystemState } from '#images/stores/system-state-files.ts';
import { addSystemState } from '#images/system-state/add-system-state.ts';
import { type FoundBackup, findBackup } from '#images/system-state/find-backup.ts';
import { clearLeftovers, removeSystemStates } from '#images/system-state/remove-system-states.ts';
import { openRestoresOf } from '#pxe-server/jobs/images-in-use.ts';
import { freeBytesOf } from '#pxe-server/serve/check-free-space.ts';
import { readSigningKey, readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import type { Station } from '#pxe-server/stations/station.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { say } from '../../fit-terminal.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { openSite } from '../../site-option.ts';
import {
  assertFolderStore,
  assertThere,
  imageVerb,
  type StoreOption,
  storeOf,
} from '../image/open-images.ts';
import { computerNameOf } from './computer-name.ts';

type Options = StoreOption & {
  readonly computer?: string;
  readonly keep?: number;
  readonly json?: boolean;
};

export function addCommand(): Command {
  return imageVerb('add')
    .description(
      'copy a system state backup that wbadmin made of a domain controller into the store, sign it and read it back; the backup is only read',
    )
    .argument('<station>')
    .argument(
      '<folder>',
      'what wbadmin wrote to: the drive or share that has WindowsImageBackup, mounted here',
    )
    .option('--computer <name>', "the computer's name, where the station has no image that says it")
    .option('--keep <n>', 'then remove older ones of this station: the newest so many stay', parseKeep)
    .option('--json', 'the result as JSON')
    .action(add);
}

async function add(typed: string, folder: string, options: Options): Promise<void> {
  const site = await openSite(options);
  const store = storeOf(site, options);
  assertFolderStore(store, 'system-state add');
  await assertThere(store);
  const station = getStation(site.state, typed);
  assertController(station);
  const signingKey = await readSigningKey(site.paths);
  const computer = await computerNameOf(store, station.name, signingKey, options.computer);
  const backup = await findBackup(folder, computer);
  await assertRoom(store, backup);
  await clearLeftovers(store, station.name);
  const line = createProgressLine();
  using interrupted = interruptSignal();
  const { name, manifest } = await addSystemState({
    store,
    station: station.name,
    backup,
    signingKey,
    signal: interrupted,
    onProgress: (phase, doneBytes, totalBytes) => line.show(phase, doneBytes, totalBytes),
  }).finally(() => line.end());

  const ref = formatImageRef(name);
  const { version, files } = manifest;
  // Before anything is removed: what fails there takes nothing of this back.
  if (options.json !== true)
    say(
      `System state ${ref} is in the store: ${files.length} files, ${formatBytes(backup.bytes)}, signed and read back. wbadmin calls it ${version}.`,
    );
  const older =
    options.keep === undefined
      ? []
      : await olderThan(store, name, options.keep, await readSigningPublicKey(site.paths));
  const needed = () => openRestoresOf(site.state, station.name).length > 0;
  const removed = await removeSystemStates(store, older, needed);
  const olderRefs = older.map(formatImageRef);
  if (options.json === true) {
    const gone = { removed: removed ? olderRefs : [], kept: removed ? [] : olderRefs };
    const summary = { ref, version, computerName: manifest.computerName, files: files.length };
    return console.log(JSON.stringify({ ...summary, bytes: backup.bytes, ...gone }));
  }
  for (const each of olderRefs)
    console.log(removed ? `${each} is removed.` : `${each} stays: a restore of ${station.name} is open.`);
}

function assertController({ name, role }: Station): void {
  if (role === 'domain-controller') return;
  throw new RekindleError('usage', `Adding a system state of ${name}: it is registered as ${role}`, {
    next: `Only domain controllers are restored from one. If it is one: rekindle station set ${name} --role domain-controller`,
  });
}

/** @throws RekindleError `store-unreachable` */
async function assertRoom(store: string, { bytes, folder }: FoundBackup): Promise<void> {
  const free = await freeBytesOf(store);
  if (free >= bytes) return;
  throw new RekindleError(
    'store-unreachable',
    `Adding ${folder} to ${store}: it has ${formatBytes(bytes)}, and ${formatBytes(free)} are free there`,
    { next: 'Make room in the store (rekindle system-state list, rekindle image prune), then start again.' },
  );
}

/**
 * All but the newest so many, and never the one that was added now. One whose manifest is not believed takes the
 * place of none that is, and stays for a person to look at.
 */
async function olderThan(
  store: string,
  added: ImageName,
  keep: number,
  key: PublicKey,
): Promise<ImageName[]> {
  const ref = parseStore(store);
  const usable: ImageName[] = [];
  for (const name of await listSystemStates(ref, added.station)) {
    try {
      await readSystemState(ref, name, key);
      usable.push(name);
    } catch (error) {
      if (!(error instanceof RekindleError) || error.code !== 'verification-failed') throw error;
    }
  }
  return usable.slice(0, Math.max(0, usable.length - keep)).filter(({ utc }) => utc !== added.utc);
}

function parseKeep(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a whole number, 1 to 9999.');
}
