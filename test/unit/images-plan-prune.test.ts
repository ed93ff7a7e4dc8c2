import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatUtc } from '#images/format/image-name.ts';
import { type KeepRules, type PrunableImage, planPrune } from '#images/upkeep/plan-prune.ts';

const good = (utc: string, sequence: number, neededBy: string[] = []): PrunableImage => ({
  utc,
  state: { kind: 'good', sequence },
  neededBy,
});
const kept = (images: readonly PrunableImage[], rules: KeepRules): string[] =>
  planPrune(images, rules)
    .filter(({ keep }) => keep)
    .map(({ utc }) => utc)
    .sort();

/** Two a day, at 02:00 and 14:00, from 1 October to 9 November 2026. */
const halfDays = Array.from({ length: 80 }, (_, n) =>
  good(formatUtc(new Date(Date.UTC(2026, 9, 1, 2 + 12 * n))), n + 1),
);

describe('rules', () => {
  test('count, and all within some days before the newest', () => {
    expect(kept(halfDays, { count: 2 })).toEqual(['20261109T020000Z', '20261109T140000Z']);
    expect(kept(halfDays, { lastDays: 1 })).toEqual([
      '20261108T140000Z',
      '20261109T020000Z',
      '20261109T140000Z',
    ]);
  });

  test('a rule of 0 is none, and no reason either', () => {
    const plan = planPrune(halfDays, { count: 0, lastDays: 0, daily: 0 });
    expect(plan.filter(({ keep }) => keep).map(({ reasons }) => reasons)).toEqual([['last good image']]);
  });

  test('the newest of each day, week (from Monday) and month', () => {
    expect(kept(halfDays, { daily: 3 })).toEqual([
      '20261107T140000Z',
      '20261108T140000Z',
      '20261109T140000Z',
    ]);
    // 9 November 2026 is a Monday.
    expect(kept(halfDays, { weekly: 3 })).toEqual([
      '20261101T140000Z',
      '20261108T140000Z',
      '20261109T140000Z',
    ]);
    expect(kept(halfDays, { monthly: 2 })).toEqual(['20261031T140000Z', '20261109T140000Z']);
    expect(kept(halfDays, { yearly: 5 })).toEqual(['20261109T140000Z']);
    const years = ['20231231T235959Z', '20240101T000000Z', '20240701T000000Z', '20260101T000000Z'];
    expect(
      kept(
        years.map((utc, n) => good(utc, n + 1)),
        { yearly: 2 },
      ),
    ).toEqual(['20240701T000000Z', '20260101T000000Z']);
  });

  test('a rule counts days that have an image: a pause costs nothing', () => {
    const images = [good('20200101T000000Z', 1), good('20230101T000000Z', 2), good('20260101T000000Z', 3)];
    expect(kept(images, { daily: 2 })).toEqual(['20230101T000000Z', '20260101T000000Z']);
  });

  test('the table says every reason', () => {
    const [first] = planPrune([good('20261109T140000Z', 1, ['armed'])], { count: 1, monthly: 1 });
    expect(first?.reasons).toEqual(['armed', 'last good image', 'count', 'monthly 2026-11']);
  });
});

describe('what no rule removes', () => {
  test('the last good image, what is needed now, what is damaged', () => {
    const images: PrunableImage[] = [
      good('20261101T000000Z', 1, ['restore job 7 is open']),
      good('20261102T000000Z', 2),
      good('20261103T000000Z', 3),
      { utc: '20261104T000000Z', state: { kind: 'damaged', reason: 'no signature' }, neededBy: [] },
    ];
    expect(kept(images, {})).toEqual(['20261101T000000Z', '20261103T000000Z', '20261104T000000Z']);
  });

  test('a damaged image takes no good one its place', () => {
    const damaged = Array.from(
      { length: 5 },
      (_, n): PrunableImage => ({
        utc: `2026111${n}T000000Z`,
        state: { kind: 'damaged', reason: 'x' },
        neededBy: [],
      }),
    );
    expect(kept([...halfDays, ...damaged], { count: 2 })).toEqual(
      expect.arrayContaining(['20261109T020000Z', '20261109T140000Z']),
    );
  });

  test('a clock that was wrong once: the image of "2038" displaces nothing, the one of "2001" is not the oldest', () => {
    const images = [
      good('20261101T000000Z', 1),
      good('20261102T000000Z', 2),
      good('20380119T000000Z', 3),
      good('20261103T000000Z', 4),
      good('20010101T000000Z', 5),
      good('20261104T000000Z', 6),
    ];
    // 2038 and 2001 count as days of the image before them, and are newer than that one.
    expect(kept(images, { daily: 3 })).toEqual(['20010101T000000Z', '20261104T000000Z', '20380119T000000Z']);
    expect(kept(images, { lastDays: 2 })).toEqual([
      '20010101T000000Z',
      '20261102T000000Z',
      '20261103T000000Z',
      '20261104T000000Z',
      '20380119T000000Z',
    ]);
    expect(kept(images, { count: 2 })).toEqual(['20010101T000000Z', '20261104T000000Z', '20380119T000000Z']);
  });
});

describe('for whatever images and rules', () => {
  const rules = fc.record(
    Object.fromEntries(
      ['count', 'lastDays', 'daily', 'weekly', 'monthly', 'yearly'].map((rule) => [rule, fc.nat(8)]),
    ),
    { requiredKeys: [] },
  ) as fc.Arbitrary<KeepRules>;
  const images = fc
    .uniqueArray(fc.integer({ min: 0, max: 4_000_000_000 }), { maxLength: 40 })
    .chain((seconds) =>
      fc.tuple(
        ...seconds.map((second, at) =>
          fc.record({
            utc: fc.constant(formatUtc(new Date(second * 1000))),
            state: fc.oneof(
              { weight: 5, arbitrary: fc.constant({ kind: 'good' as const, sequence: at + 1 }) },
              fc.constant({ kind: 'damaged' as const, reason: 'x' }),
            ),
            neededBy: fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, fc.constant(['open job'])),
          }),
        ),
      ),
    );

  test('the newest good image stays, needed and damaged ones stay, and each has a reason', () => {
    fc.assert(
      fc.property(images, rules, (all, keep) => {
        const plan = planPrune(all, keep);
        expect(plan.map(({ utc }) => utc).sort()).toEqual(all.map(({ utc }) => utc).sort());
        const newest = all.filter(({ state }) => state.kind === 'good').at(-1);
        for (const { utc, state, neededBy } of all) {
          const decision = plan.find((each) => each.utc === utc);
          if (utc === newest?.utc || state.kind === 'damaged' || neededBy.length > 0)
            expect(decision?.keep).toBe(true);
          expect(decision?.keep).toBe((decision?.reasons.length ?? 0) > 0);
        }
      }),
    );
  });

  test('a second prune removes nothing more, and the order of the list does not matter', () => {
    fc.assert(
      fc.property(images, rules, (all, keep) => {
        const first = kept(all, keep);
        const left = all.filter(({ utc }) => first.includes(utc));
        expect(kept([...all].reverse(), keep)).toEqual(first);
        if (
          all.every(
            ({ state }, at) =>
              state.kind === 'good' && (at === 0 || (all[at - 1]?.utc ?? '') < (all[at]?.utc ?? '')),
          )
        )
          expect(kept(left, keep)).toEqual(first);
      }),
    );
  });

  test('more to keep never removes what less would have kept', () => {
    fc.assert(
      fc.property(
        images,
        rules,
        fc.constantFrom('count', 'daily', 'weekly', 'monthly', 'yearly', 'lastDays'),
        (all, keep, rule) => {
          const more = { ...keep, [rule]: (keep[rule as keyof KeepRules] ?? 0) + 1 };
          expect(kept(all, more)).toEqual(expect.arrayContaining(kept(all, keep)));
        },
      ),
    );
  });
});
