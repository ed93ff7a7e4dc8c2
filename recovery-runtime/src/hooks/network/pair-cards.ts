import type { NetworkCard } from '#images/passport/hardware-passport.ts';

/** A card of the machine, and the address of the card that was in its place when the image was taken. */
export interface PairedCard {
  readonly slot: string;
  readonly mac: string;
  /** Of a card that was replaced since. */
  readonly was?: string;
}

/** The machine's cards in slot order. That they are of the same kinds in the same slots is checked before. Pure. */
export function pairCards(image: readonly NetworkCard[], machine: readonly NetworkCard[]): PairedCard[] {
  const has = (cards: readonly NetworkCard[], mac: string) => cards.some((card) => card.mac === mac);
  const gone = image.filter(({ mac }) => !has(machine, mac));
  return machine.map(({ slot, mac }) => {
    if (has(image, mac)) return { slot, mac };
    // Ports of one card share its slot: in their order.
    const at = gone.findIndex((card) => card.slot === slot);
    const [was] = at === -1 ? [] : gone.splice(at, 1);
    return was === undefined ? { slot, mac } : { slot, mac, was: was.mac };
  });
}
