import { RekindleError } from '#base/errors.ts';

/** One step of a rehearsal with its time, as the report lists it. */
export interface Stage {
  readonly title: string;
  readonly outcome: 'done' | 'failed';
  readonly startedAtSeconds: number;
  readonly seconds: number;
  /** What was seen. */
  readonly sentence: string;
}

export interface StageClock {
  /** Runs one stage, times it and keeps its sentence; a failure is kept too and thrown on. */
  run<T>(title: string, work: (say: (sentence: string) => void) => Promise<T>): Promise<T>;
  readonly stages: readonly Stage[];
}

/** `onProgress` gets a line when a stage begins, for each sentence in it, and when it ends. */
export function startStageClock(onProgress: (line: string) => void): StageClock {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const stages: Stage[] = [];
  const line = (text: string): void => onProgress(`${seconds().toFixed(1).padStart(7)} s  ${text}`);

  return {
    stages,
    run: async (title, work) => {
      const startedAtSeconds = seconds();
      line(title);
      let sentence = '';
      const say = (said: string): void => {
        sentence = said;
        line(`  ${said}`);
      };
      const keep = (outcome: Stage['outcome']): void => {
        stages.push({
          title,
          outcome,
          startedAtSeconds: round(startedAtSeconds),
          seconds: round(seconds() - startedAtSeconds),
          sentence,
        });
      };
      try {
        const result = await work(say);
        keep('done');
        return result;
      } catch (cause) {
        keep('failed');
        throw new RekindleError('verification-failed', `The rehearsal stopped while: ${title}`, { cause });
      }
    },
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
