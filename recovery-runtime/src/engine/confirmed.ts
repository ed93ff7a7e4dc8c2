declare const confirmedBrand: unique symbol;

/** Who gives it: a technician at the station, or whoever armed the station before. */
export type Confirming =
  | { readonly how: 'typed'; readonly name: string }
  | {
      readonly how: 'armed';
      readonly name: string;
      /** Parts that were replaced by others of their class are meant too. */
      readonly acceptsReplaced: boolean;
    };

/** Permission to write, made by the confirm steps only: who gave it, how, and for what. */
export interface Confirmed {
  readonly [confirmedBrand]: true;
  readonly how: 'typed' | 'armed';
  readonly by: string;
  /** The station's name that was typed, or that was armed. */
  readonly station: string;
  /** Names of the replaced parts that were on the screen when it was given. */
  readonly replacedParts: readonly string[];
}
