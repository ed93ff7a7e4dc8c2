import { parseUtc } from '../format/image-name.ts';

/**
 * Which images of a station are kept, by rules as restic, borg and Proxmox Backup have them. Pure, and without a
 * clock: rules count images, days and weeks that have images, never the time until now. What is newer is decided by
 * the sequence numbers of the signed manifests, and the time of an image that contradicts its place in the sequence is
 * not believed.
 */
export interface KeepRules {
  /** The newest so many. */
  readonly count?: number;
  /** All within so many days before the newest. */
  readonly lastDays?: number;
  /** The newest of each of so many days (weeks, months, years) that have an image; UTC, weeks from Monday. */
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
}

export interface PrunableImage {
  /** 20261120T020000Z */
  readonly utc: string;
  readonly state:
    | { readonly kind: 'good'; readonly sequence: number }
    /** Its manifest cannot be read, or the last verification found damage: never removed by a rule. */
    | { readonly kind: 'damaged'; readonly reason: string };
  /** Why somebody needs it now: an open job, an armed station. */
  readonly neededBy: readonly string[];
}

export interface PruneDecision {
  readonly utc: string;
  readonly keep: boolean;
  /** Why it is kept; empty when it is not. */
  readonly reasons: readonly string[];
}

const dayMs = 86_400_000;

/** @param images of one station, in any order @returns a decision each, newest first */
export function planPrune(images: readonly PrunableImage[], rules: KeepRules): PruneDecision[] {
  const reasons = new Map<string, string[]>(images.map(({ utc, neededBy }) => [utc, [...neededBy]]));
  const keep = (utc: string, why: string): void => void reasons.get(utc)?.push(why);
  for (const { utc, state } of images) if (state.kind === 'damaged') keep(utc, `damaged: ${state.reason}`);

  const good = sortBySequence(images);
  const [newest] = good;
  if (newest !== undefined) keep(newest.utc, 'last good image');
  const latest = images
    .map(({ utc }) => utc)
    .sort()
    .at(-1);
  if (latest !== undefined && latest !== newest?.utc) keep(latest, 'what @latest means');
  for (const { utc } of good.slice(0, rules.count ?? 0)) keep(utc, 'count');
  for (const { utc, believedMs } of good) {
    const days = ((newest?.believedMs ?? 0) - believedMs) / dayMs;
    const { lastDays = 0 } = rules;
    // 0 is "not by this rule"; the newest stays in any case.
    if (lastDays > 0 && days <= lastDays) keep(utc, `last ${lastDays} days`);
  }
  for (const [rule, periodOf] of Object.entries(periods)) {
    let left = rules[rule as keyof typeof periods] ?? 0;
    let before: string | undefined;
    for (const { utc, believedMs } of good) {
      const period = periodOf(new Date(believedMs));
      if (left === 0) break;
      if (period === before) continue;
      keep(utc, `${rule} ${period}`);
      before = period;
      left--;
    }
  }
  const order = [...good.map(({ utc }) => utc)];
  for (const { utc } of images) if (!order.includes(utc)) order.push(utc);
  return order.map((utc) => {
    const why = reasons.get(utc) ?? [];
    return { utc, keep: why.length > 0, reasons: why };
  });
}

const periods = {
  daily: (time: Date) => time.toISOString().slice(0, 10),
  weekly: (time: Date) => {
    const monday = new Date(time.getTime() - ((time.getUTCDay() + 6) % 7) * dayMs);
    return `from ${monday.toISOString().slice(0, 10)}`;
  },
  monthly: (time: Date) => time.toISOString().slice(0, 7),
  yearly: (time: Date) => time.toISOString().slice(0, 4),
} as const;

interface Placed {
  readonly utc: string;
  /** The image's time, or that of the one before it where its own contradicts the sequence. */
  readonly believedMs: number;
}

/** Good images, newest first. */
function sortBySequence(images: readonly PrunableImage[]): Placed[] {
  const oldestFirst = images
    .flatMap(({ utc, state }) =>
      state.kind === 'good' ? [{ utc, sequence: state.sequence, ms: parseUtc(utc)?.getTime() ?? 0 }] : [],
    )
    .sort((a, b) => a.sequence - b.sequence || a.ms - b.ms);
  const believed = longestAscending(oldestFirst.map(({ ms }) => ms));
  const first = oldestFirst.find((_, at) => believed.has(at));
  let lastMs = first?.ms ?? 0;
  return oldestFirst
    .map(({ utc, ms }, at) => {
      if (believed.has(at)) lastMs = ms;
      return { utc, believedMs: lastMs };
    })
    .reverse();
}

/** Places of the longest ascending run through the values, others left out: times that agree with each other. */
function longestAscending(values: readonly number[]): Set<number> {
  const length: number[] = [];
  const before: number[] = [];
  let best = -1;
  for (let at = 0; at < values.length; at++) {
    length[at] = 1;
    before[at] = -1;
    for (let earlier = 0; earlier < at; earlier++) {
      if ((values[earlier] ?? 0) > (values[at] ?? 0) || (length[earlier] ?? 0) < (length[at] ?? 0)) continue;
      length[at] = (length[earlier] ?? 0) + 1;
      before[at] = earlier;
    }
    if (best === -1 || (length[at] ?? 0) >= (length[best] ?? 0)) best = at;
  }
  const places = new Set<number>();
  for (let at = best; at >= 0; at = before[at] ?? -1) places.add(at);
  return places;
}
