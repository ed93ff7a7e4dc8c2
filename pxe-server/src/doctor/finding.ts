/** One thing that the doctor looked at. */
export interface Finding {
  /** What was looked at: `ports`, `clock`. */
  readonly check: string;
  /** `problem`: stations cannot be recovered like this. `warning`: somebody will find out one day. */
  readonly verdict: 'ok' | 'warning' | 'problem';
  readonly sentence: string;
  /** How to mend it; there unless all is well. */
  readonly next?: string;
}

export const well = (check: string, sentence: string): Finding => ({ check, verdict: 'ok', sentence });
export const warning = (check: string, sentence: string, next: string): Finding => ({
  check,
  verdict: 'warning',
  sentence,
  next,
});
export const problem = (check: string, sentence: string, next: string): Finding => ({
  check,
  verdict: 'problem',
  sentence,
  next,
});
