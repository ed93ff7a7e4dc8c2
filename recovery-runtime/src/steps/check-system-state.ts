import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { readStoredState } from '../hooks/domain/stored-state.ts';
import { hooksThatHoldStart } from './held-start.ts';
import type { SignedImage } from './open-job.ts';
import type { StationHooks } from './station-hooks.ts';

/** The hook of a controller that gets its system state from the store; undefined: there is none. */
export function hookWithStoredState({
  plan,
  preflight,
}: Pick<StationHooks, 'plan' | 'preflight'>): DomainController | undefined {
  const holding = hooksThatHoldStart(plan, preflight);
  return plan.hooks
    .filter((hook) => hook.kind === 'domain-controller')
    .find(({ id, systemState }) => systemState.from === 'backup-in-store' && holding.includes(id));
}

/** Before the first write: the state that the service has chosen can be read from here, and is signed by the site. */
export const checkSystemState = readingStep<
  {
    readonly hook: DomainController;
    readonly hooks: Pick<StationHooks, 'preflight'>;
    readonly image: Pick<SignedImage, 'manifest' | 'source' | 'key'>;
  },
  void
>({
  id: 'check-system-state',
  title: titles['check-system-state'],
  async run({ hook, hooks, image }) {
    const { manifest, source, key } = image;
    const state = await readStoredState({ hook, manifest, earlier: hooks.preflight, store: { source, key } });
    if (state === undefined) throw new RangeError(`${hook.id} wants no system state of the store`);
    return { value: undefined, sentence: texts.systemStateSigned(state.manifest.takenAt) };
  },
});
