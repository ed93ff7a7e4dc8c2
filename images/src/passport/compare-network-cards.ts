import type { Difference } from './difference.ts';
import type { NetworkCard } from './hardware-passport.ts';

/**
 * Network cards, slot by slot. Their order is part of what PCS 7 binds to, so a card of another kind, in
 * another slot, missing or too many stops the recovery. A card of the same id in the same slot with
 * another address is a replaced part.
 */
export function compareNetworkCards(
  expected: readonly NetworkCard[],
  found: readonly NetworkCard[],
): Difference[] {
  const pairs = pairBySlot(expected, found);
  const differences = pairs.flatMap(({ card, other }): Difference[] => {
    const field = `network card ${card.slot}`;
    if (other === undefined) {
      const elsewhere = found.find(({ mac }) => mac === card.mac);
      return [
        {
          field,
          severity: 'fatal',
          expected: describe(card),
          found: elsewhere === undefined ? 'no card' : `in slot ${elsewhere.slot}`,
          sentence:
            elsewhere === undefined
              ? `Network card ${describe(card)} is missing in slot ${card.slot}.`
              : `Network card ${describe(card)} is in slot ${elsewhere.slot} instead of ${card.slot}: put it back, the order of the cards counts.`,
        },
      ];
    }
    if (other.id !== card.id) {
      return [
        {
          field,
          severity: 'fatal',
          expected: describe(card),
          found: describe(other),
          sentence: `In slot ${card.slot} is a network card ${describe(other)} instead of ${describe(card)}: another model.`,
        },
      ];
    }
    if (other.mac === card.mac && other.subsystem === card.subsystem) return [];
    const movedFrom = expected.find(({ mac, slot }) => mac === other.mac && slot !== card.slot);
    if (movedFrom !== undefined) {
      return [
        {
          field,
          severity: 'fatal',
          expected: describe(card),
          found: describe(other),
          sentence: `Network card ${other.mac} is in slot ${card.slot} but belongs in slot ${movedFrom.slot}: put the cards back in their order.`,
        },
      ];
    }
    return [
      {
        field,
        severity: 'replaced-part',
        expected: describe(card),
        found: describe(other),
        sentence: `The network card in slot ${card.slot} (${card.id}) was replaced: ${describe(other)} instead of ${describe(card)}.`,
      },
    ];
  });
  const paired = new Set(pairs.map(({ other }) => other));
  const extra = found
    .filter((card) => !paired.has(card))
    // A card that only moved has been named where it is missing.
    .filter((card) => !expected.some(({ mac }) => mac === card.mac))
    .map(
      (card): Difference => ({
        field: `network card ${card.slot}`,
        severity: 'fatal',
        expected: 'no card',
        found: describe(card),
        sentence: `In slot ${card.slot} is a network card ${describe(card)} that the station does not have: take it out, the order of the cards counts.`,
      }),
    );
  return [...differences, ...extra];
}

/** Ports of one card share its slot: paired by address first, then in their order. */
function pairBySlot(expected: readonly NetworkCard[], found: readonly NetworkCard[]) {
  const free = new Set(found);
  const take = (card: NetworkCard, matches: (other: NetworkCard) => boolean): NetworkCard | undefined => {
    const other = [...free].find((candidate) => candidate.slot === card.slot && matches(candidate));
    if (other !== undefined) free.delete(other);
    return other;
  };
  const exact = new Map(expected.map((card) => [card, take(card, ({ mac }) => mac === card.mac)]));
  return expected.map((card) => ({ card, other: exact.get(card) ?? take(card, () => true) }));
}

function describe({ id, subsystem, mac }: NetworkCard): string {
  return `${id} (${subsystem}) ${mac}`;
}
