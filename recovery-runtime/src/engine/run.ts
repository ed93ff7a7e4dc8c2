import { errorChain } from '#base/errors.ts';
import type { StepEvent, StepRecord } from '#contract/run-report.ts';
import type { Step, StepReporter } from './step.ts';
import type { RunListener } from './step-events.ts';

/** The clocks of a run. Uptime is the kernel's: it cannot jump when the machine's clock is put right. */
export interface RunClock {
  now(): Date;
  uptimeSeconds(): number;
}

export interface Run {
  /** Runs one step, tells the listeners, and keeps its record. A failed step's error is passed on as it is. */
  step<Input, Output>(step: Step<Input, Output>, input: Input): Promise<Output>;
  readonly records: readonly StepRecord[];
}

export function startRun(clock: RunClock, listeners: readonly RunListener[]): Run {
  const records: StepRecord[] = [];

  const tell = (
    step: { id: string; title: string },
    state: StepEvent['state'],
    sentence: string,
    bytes: { doneBytes: number; totalBytes: number } | undefined = undefined,
  ) => {
    const event = {
      step: step.id,
      title: step.title,
      state,
      at: clock.now().toISOString(),
      uptimeSeconds: clock.uptimeSeconds(),
      sentence,
      ...bytes,
    };
    for (const listen of listeners) listen(event);
  };

  return {
    records,
    async step(step, input) {
      const startedAtUptimeSeconds = clock.uptimeSeconds();
      const record = (outcome: StepRecord['outcome'], sentence: string) =>
        records.push({
          step: step.id,
          title: step.title,
          outcome,
          startedAtUptimeSeconds,
          seconds: Math.max(0, clock.uptimeSeconds() - startedAtUptimeSeconds),
          sentence,
        });
      const reporter: StepReporter = {
        say: (sentence) => tell(step, 'progress', sentence),
        progress: (doneBytes, totalBytes) => tell(step, 'progress', step.title, { doneBytes, totalBytes }),
      };

      tell(step, 'started', step.title);
      try {
        const { value, sentence, skipped = false } = await step.run(input, reporter);
        record(skipped ? 'skipped' : 'done', sentence);
        tell(step, skipped ? 'skipped' : 'done', sentence);
        return value;
      } catch (error) {
        const sentence = errorChain(error).join(': ');
        record('failed', sentence);
        tell(step, 'failed', sentence);
        throw error;
      }
    },
  };
}
