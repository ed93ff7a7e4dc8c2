import { type Command, InvalidArgumentError } from 'commander';
import { errorChain, RekindleError } from '#base/errors.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { readReadings } from '#images/stores/announce-reading.ts';
import { storeTimeMs } from '#images/stores/announcement.ts';
import { listImages, readManifest } from '#images/stores/image-folder.ts';
import { type KeepRules, type PrunableImage, planPrune } from '#images/upkeep/plan-prune.ts';
import { removeImages } from '#images/upkeep/remove-images.ts';
import { readVerification } from '#images/upkeep/verification-record.ts';
import { imagesInUse } from '#pxe-server/jobs/images-in-use.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { lineColumns, wrapBelow } from '#runtime/console/layout.ts';
import { type OpenSite, openSite } from '../../site-option.ts';
import { assertFolderStore, imageVerb, type StoreOption, storeOf } from './open-images.ts';
import { parseStationName } from './station-facts.ts';

const flags = [
  ['count', 'the newest N'],
  ['last', 'all within N days before the newest'],
  ['daily', 'the newest of each of N days that have an image'],
  ['weekly', 'the newest of each of N weeks'],
  ['monthly', 'the newest of each of N months'],
  ['yearly', 'the newest of each of N years'],
] as const;

type Options = StoreOption & {
  readonly keepCount?: number;
  readonly keepLast?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

export function pruneCommand(): Command {
  const command = imageVerb('prune')
    .description(
      'remove old images by rule; an image that any rule keeps stays. Without --keep-… the rules of rekindle.yaml hold. Space comes back with `image gc`',
    )
    .argument('[station]');
  for (const [rule, what] of flags) command.option(`--keep-${rule} <n>`, `keep ${what}`, parseCount);
  return command
    .option('--dry-run', 'show what is kept, and why, and remove nothing')
    .option('--json', 'the decisions as JSON')
    .action(prune);
}

async function prune(station: string | undefined, options: Options): Promise<void> {
  const site = await openSite(options);
  const store = storeOf(site, options);
  assertFolderStore(store, 'image prune');
  const key = await readSigningPublicKey(site.paths);
  const rules = rulesOf(options) ?? site.configuration.prune;
  if (Object.values(rules).every((count) => count === 0)) {
    throw new RekindleError(
      'usage',
      'Removing old images: every rule is 0, so nothing but the last one would stay',
      {
        next: 'Say how many to keep, e.g. --keep-count 3.',
      },
    );
  }
  const names = await listImages(store, station === undefined ? undefined : parseStationName(station));
  const stations = [...new Set(names.map((name) => name.station))];
  const silentMs = site.configuration.gc.graceHours * 3_600_000;
  // A dry run leaves the store as it is, and so does not ask for its time.
  const nowMs = options.dryRun === true ? Date.now() : await storeTimeMs(store);
  const inUse = await imagesNeeded(site, store, nowMs, silentMs);
  const decisions: Decision[] = [];
  const unwanted: ImageName[] = [];
  for (const owner of stations) {
    const own = names.filter((name) => name.station === owner);
    const plan = planPrune(await Promise.all(own.map((name) => look(store, name, key, own, inUse))), rules);
    for (const decision of plan) {
      const name: ImageName = { station: owner as StationName, utc: decision.utc };
      decisions.push({ ref: formatImageRef(name), keep: decision.keep, reasons: decision.reasons });
      if (!decision.keep) unwanted.push(name);
    }
  }
  if (options.dryRun !== true) {
    const neededBy = () => imagesInUse(site.state);
    const { kept } = await removeImages({ store, names: unwanted, silentMs, neededBy });
    for (const { name, reasons } of kept) {
      const ref = formatImageRef(name);
      const at = decisions.findIndex((decision) => decision.ref === ref);
      decisions.splice(at === -1 ? decisions.length : at, 1, { ref, keep: true, reasons });
    }
  }
  if (options.json === true)
    console.log(JSON.stringify({ dryRun: options.dryRun === true, images: decisions }));
  else print(decisions, options.dryRun === true);
}

interface Decision {
  readonly ref: string;
  readonly keep: boolean;
  readonly reasons: readonly string[];
}

/** By the site's jobs and armed stations, and by who reads the store now. */
async function imagesNeeded(
  { state }: OpenSite,
  store: string,
  nowMs: number,
  silentMs: number,
): Promise<Map<string, string[]>> {
  const needed = imagesInUse(state);
  const readings = await readReadings(store, nowMs, silentMs);
  for (const [ref, reasons] of readings) needed.set(ref, [...(needed.get(ref) ?? []), ...reasons]);
  return needed;
}

/** Flags replace the configured rules, all of them. */
function rulesOf(options: Options): KeepRules | undefined {
  const rules: Record<keyof KeepRules, number | undefined> = {
    count: options.keepCount,
    lastDays: options.keepLast,
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
    yearly: options.keepYearly,
  };
  const given = Object.entries(rules).filter(([, count]) => count !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

async function look(
  store: string,
  name: ImageName,
  key: PublicKey,
  own: readonly ImageName[],
  inUse: ReadonlyMap<string, readonly string[]>,
): Promise<PrunableImage> {
  const isLatest = name.utc === own.at(-1)?.utc;
  const neededBy = [
    ...(inUse.get(formatImageRef(name)) ?? []),
    ...(isLatest ? (inUse.get(`${name.station}@latest`) ?? []) : []),
  ];
  try {
    const { manifest, manifestSha256 } = await readManifest(store, name, key);
    const verified = await readVerification(store, name);
    if (verified?.result === 'damaged' && verified.manifestSha256 === manifestSha256) {
      const reason = `found on ${verified.verifiedAt.slice(0, 10)}`;
      return { utc: name.utc, state: { kind: 'damaged', reason }, neededBy };
    }
    return { utc: name.utc, state: { kind: 'good', sequence: manifest.sequence }, neededBy };
  } catch (error) {
    if (!(error instanceof RekindleError) || error.code === 'store-unreachable') throw error;
    return { utc: name.utc, state: { kind: 'damaged', reason: errorChain(error)[0] ?? '' }, neededBy };
  }
}

function print(decisions: readonly Decision[], dry: boolean): void {
  for (const { ref, keep, reasons } of decisions) {
    const what = `${keep ? 'keep  ' : 'remove'}  ${ref}`;
    const why = reasons.join(', ');
    const line = `${what.padEnd(42)} ${why}`.trimEnd();
    console.log(line.length <= lineColumns ? line : [what, ...wrapBelow('        ', why)].join('\n'));
  }
  const removed = decisions.filter(({ keep }) => !keep).length;
  console.log(`${removed} of ${decisions.length} images ${dry ? 'would be removed' : 'removed'}.`);
  if (removed > 0 && !dry) console.log('Their space comes back with: rekindle image gc');
}

function parseCount(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('Write a whole number, 0 to 9999.');
  return Number(text);
}
