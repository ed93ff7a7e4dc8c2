import type { StepEvent } from '#contract/run-report.ts';

/** An event of a run as the screen sees it: the contract's event, and the step's title. */
export interface RunEvent extends StepEvent {
  readonly title: string;
}

export type RunListener = (event: RunEvent) => void;

/** The contract bounds a sentence; a long chain of reasons is cut, not refused. */
const longestSentence = 2000;

export function toStepEvent({ title: _title, ...event }: RunEvent): StepEvent {
  return { ...event, sentence: event.sentence.slice(0, longestSentence) };
}
