import type { Confirmed } from './confirmed.ts';

/**
 * A step of the workflow: an id for the report, a title for the person, and a body that returns a value
 * together with the sentence that says what was found or done. A body that cannot go on throws a
 * RekindleError; refusals that are expected are values, and the step that asserts them throws.
 */
export interface Step<Input, Output> {
  readonly id: string;
  /** What is being done: "Comparing this machine with the image's". */
  readonly title: string;
  readonly effect: 'reads' | 'writes';
  readonly run: (input: Input, reporter: StepReporter) => Promise<StepResult<Output>>;
}

export interface StepResult<Output> {
  readonly value: Output;
  readonly sentence: string;
  /** The step had nothing to do; the sentence says why. */
  readonly skipped?: boolean;
}

export interface StepReporter {
  /** Something worth saying while the step goes on ("waiting for the link"). */
  say(sentence: string): void;
  progress(doneBytes: number, totalBytes: number): void;
}

/** A step that changes nothing on the machine's disks or in its firmware. */
export function readingStep<Input, Output>(step: Omit<Step<Input, Output>, 'effect'>): Step<Input, Output> {
  return { ...step, effect: 'reads' };
}

/** A step that writes: it cannot be called without what the person confirmed. */
export function writingStep<Input extends { readonly confirmed: Confirmed }, Output>(
  step: Omit<Step<Input, Output>, 'effect'>,
): Step<Input, Output> {
  return { ...step, effect: 'writes' };
}
