/** One thing that was looked at before a restored Windows is started. */
export interface Finding {
  /** Stable name: `bcd-os-device`. */
  readonly check: string;
  /**
   * `fatal`: it will not start, or must not. `warning`: it starts, and somebody should know. `unknown`: it could not
   * be looked at, or there is nothing to compare with.
   */
  readonly outcome: 'right' | 'warning' | 'fatal' | 'unknown';
  readonly sentence: string;
}

export const right = (check: string, sentence: string): Finding => ({ check, outcome: 'right', sentence });
export const fatal = (check: string, sentence: string): Finding => ({ check, outcome: 'fatal', sentence });
export const warning = (check: string, sentence: string): Finding => ({
  check,
  outcome: 'warning',
  sentence,
});
export const unknown = (check: string, sentence: string): Finding => ({
  check,
  outcome: 'unknown',
  sentence,
});
