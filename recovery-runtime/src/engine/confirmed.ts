declare const confirmedBrand: unique symbol;

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
