import { RekindleError } from '#base/errors.ts';
import type { FirstBootStep } from '#contract/first-boot.ts';
import { firstBootPlanSchema } from '#contract/first-boot.ts';
import type { Hook } from '#contract/hook.ts';
import type { FirstBootStage } from '../hooks/offline-hook.ts';

export interface StagedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** What the offline hooks want for the first boot, kept in memory until the last of them has ended. */
export interface Staged {
  readonly files: readonly StagedFile[];
  readonly steps: readonly FirstBootStep[];
  /**
   * What one hook sees of it. A hook that fails afterwards takes its files and steps with it (`drop`), and can stage
   * nothing more: its work may outlive its time.
   */
  stageOf(hook: Hook, title: string): FirstBootStage;
  drop(hook: string): void;
}

const tries = 20;
const retrySeconds = 15;

export function collectStaged(): Staged {
  let files: (StagedFile & { readonly hook: string })[] = [];
  let steps: FirstBootStep[] = [];
  const dropped = new Set<string>();
  const assertOpen = (hook: string) => {
    if (!dropped.has(hook)) return;
    throw new RekindleError('failed-hooks', `staging for the first boot: hook ${hook} has failed already`);
  };
  return {
    get files() {
      return files;
    },
    get steps() {
      return steps;
    },
    stageOf: (hook, title) => ({
      addFile({ name, bytes, executable = false }) {
        assertOpen(hook.id);
        const other = files.find((file) => file.name === name && file.hook !== hook.id);
        if (other !== undefined) {
          throw new RekindleError(
            'usage',
            `staging ${name} of hook ${hook.id}: hook ${other.hook} has a file of that name`,
            { next: 'Give one of both files another name.' },
          );
        }
        files = [...files.filter((file) => file.name !== name), { hook: hook.id, name, bytes, executable }];
      },
      addStep(step) {
        assertOpen(hook.id);
        const whole = firstBootPlanSchema.shape.steps.element.parse({
          hook: hook.id,
          title,
          after: hook.after,
          timeoutSeconds: hook.timeoutSeconds,
          retrySeconds,
          tries,
          secretFiles: [],
          ...step,
        });
        steps = [...steps, whole];
      },
    }),
    drop(hook) {
      dropped.add(hook);
      files = files.filter((file) => file.hook !== hook);
      steps = steps.filter((step) => step.hook !== hook);
    },
  };
}
