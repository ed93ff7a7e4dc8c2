/** A packet that gets no answer, with every reason at once: the expected outcome of most traffic on a LAN. */
export interface Ignored {
  readonly kind: 'ignored';
  readonly reasons: readonly string[];
}

export function ignore(...reasons: string[]): Ignored {
  return { kind: 'ignored', reasons };
}
