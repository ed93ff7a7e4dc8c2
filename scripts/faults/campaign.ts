import { RekindleError } from '#base/errors.ts';

/**
 * A campaign makes one kind of fault happen at many points of real work and counts how it ended. What must
 * never be is a violation; everything else is an outcome.
 */
export interface Campaign {
  readonly name: string;
  /** What must hold, in one sentence. */
  readonly goal: string;
  run(context: CampaignContext): Promise<CampaignResult>;
}

export interface CampaignContext {
  /** Empty folder of this campaign alone; whoever started the campaign removes it. */
  readonly folder: string;
  readonly seed: number;
  /** At most so many points, spread evenly over all of them; absent: every point. */
  readonly limit?: number;
  readonly progress: (line: string) => void;
  /** Ends the campaign before its next point. */
  readonly signal?: AbortSignal;
}

export interface CampaignResult {
  /** Faults that were really injected. */
  readonly points: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** A sentence each: where, and what was seen. */
  readonly violations: readonly string[];
  /** Measured figures worth writing down. */
  readonly figures: Readonly<Record<string, string | number>>;
}

export interface Tally {
  outcome(what: string, count?: number): void;
  violation(sentence: string): void;
  figure(name: string, value: string | number): void;
  result(): CampaignResult;
}

export function createTally(): Tally {
  const outcomes: Record<string, number> = {};
  const figures: Record<string, string | number> = {};
  const violations: string[] = [];
  let points = 0;
  return {
    outcome(what, count = 1) {
      outcomes[what] = (outcomes[what] ?? 0) + count;
      points += count;
    },
    violation: (sentence) => void violations.push(sentence),
    figure(name, value) {
      figures[name] = value;
    },
    result: () => ({ points, outcomes, violations, figures }),
  };
}

/** At most `limit` of the points, in order, each from the middle of its share of all: the edges prove least. */
export function spread<Point>(points: readonly Point[], limit: number | undefined): Point[] {
  if (limit === undefined || points.length <= limit) return [...points];
  const width = points.length / limit;
  return Array.from({ length: limit }, (_, n) => points[Math.floor((n + 0.5) * width)] as Point);
}

/** The same limit over several scenarios: fewer of them when there are more than points. */
export function share<Scenario>(
  scenarios: readonly Scenario[],
  context: CampaignContext,
): { readonly chosen: Scenario[]; readonly each: CampaignContext } {
  if (context.limit === undefined) return { chosen: [...scenarios], each: context };
  const chosen = spread(scenarios, context.limit);
  return { chosen, each: { ...context, limit: Math.ceil(context.limit / chosen.length) } };
}

/** Calls `use` for every point in turn and says how far it is, with rate and time left. */
export async function forEachPoint<Point>(
  { progress, signal }: CampaignContext,
  what: string,
  points: readonly Point[],
  use: (point: Point, number: number) => Promise<void> | void,
): Promise<void> {
  const startedAt = performance.now();
  let saidAt = startedAt;
  for (const [number, point] of points.entries()) {
    if (signal?.aborted === true) {
      throw new RekindleError(
        'interrupted',
        `${what}: interrupted after ${number} of ${points.length} points`,
        {
          next: 'What it made is cleaned up. Start the campaign again; its points do not depend on each other.',
        },
      );
    }
    await use(point, number);
    const now = performance.now();
    if (now - saidAt < 5000) continue;
    saidAt = now;
    const rate = (number + 1) / ((now - startedAt) / 1000);
    const left = Math.round((points.length - number - 1) / rate);
    progress(`${what}: ${number + 1} of ${points.length}, ${rate.toFixed(1)} a second, ${left} s left`);
  }
}
