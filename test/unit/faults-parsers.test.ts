import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeRefusal, parsers } from '#scripts/faults/fuzz/parsers.ts';
import { seededRandom } from '#test/support/random.ts';

/** A short run of what `npm run faults -- --only fuzz-parsers` does a million times. */
test.each(parsers.filter(({ most }) => most === undefined))(
  'whatever is done to it, a $name is read or refused by name',
  (parser) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        try {
          parser.parse(parser.mutate(seededRandom(seed)));
        } catch (error) {
          expect(judgeRefusal(parser, error)).toBeNull();
        }
      }),
      { numRuns: 150 },
    );
  },
);

test.each(parsers.filter(({ most }) => most === undefined))('a $name that is whole is read', (parser) => {
  for (const seed of parser.seeds) expect(() => parser.parse(Buffer.from(seed))).not.toThrow();
});

test.each(parsers.filter(({ most }) => most !== undefined))('a $name is refused by name', (parser) => {
  for (const seed of parser.seeds) {
    let refusal: unknown = null;
    try {
      parser.parse(Buffer.from(seed));
    } catch (error) {
      refusal = error;
    }
    expect(judgeRefusal(parser, refusal)).toBeNull();
  }
});
