import type { Hook, HookKind, HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { HookWork } from '#contract/hook-work.ts';
import { type BoundWork, bindWork, runPhase } from '#contract/run-hooks.ts';
import type { Confirmed, ImageUnderRestore, ServerHook, ServerHookContext } from './server-hook.ts';
import { serverHooks } from './server-hooks.ts';

/** Runs every hook's preflight. Only looks; a hook that Rekindle has no code for is a failure, not a surprise later. */
export function runPreflight(
  plan: HookPlan,
  image: ImageUnderRestore,
  siteFolder: string,
): Promise<HookRecord[]> {
  return runPhase({
    phase: 'preflight',
    hooks: plan.hooks,
    earlier: [],
    dryRun: false,
    titleOf: titleOfHook,
    now: () => new Date(),
    workOf(hook, earlier, signal) {
      const found = serverHookOf(hook);
      if (found === undefined) return bindWork(notThere(hook), undefined);
      return found.bindPreflight({ plan, image, earlier, siteFolder, signal });
    },
  });
}

export function titleOfHook(hook: Hook): string {
  return serverHookOf(hook)?.title ?? `${hook.kind} ${hook.id}`;
}

type SharedContext = Omit<ServerHookContext<HookKind>, 'hook'>;

/** A hook of the plan with the code of its kind; the kind ties both together, which the compiler cannot follow. */
export interface BoundServerHook {
  readonly title: string;
  bindPreflight(context: SharedContext): BoundWork | undefined;
  readonly provide: ((context: SharedContext) => ReturnType<ProvideOf>) | undefined;
  readonly confirm: ((context: SharedContext, reported: HookRecord) => ReturnType<ConfirmOf>) | undefined;
}
type ProvideOf = NonNullable<ServerHook<HookKind>['provide']>;
type ConfirmOf = NonNullable<ServerHook<HookKind>['confirm']>;

export function serverHookOf(hook: Hook): BoundServerHook | undefined {
  const found = serverHooks[hook.kind] as ServerHook<HookKind> | undefined;
  if (found === undefined) return undefined;
  const { preflight } = found;
  return {
    title: found.title(hook),
    bindPreflight: (context) =>
      preflight === undefined ? undefined : bindWork(preflight, { ...context, hook }),
    provide: found.provide && ((context) => found.provide?.({ ...context, hook }) ?? Promise.resolve([])),
    confirm:
      found.confirm &&
      (async (context, reported) => {
        const confirmed: Confirmed = (await found.confirm?.({ ...context, hook }, reported)) ?? reported;
        return confirmed;
      }),
  };
}

function notThere(hook: Hook): HookWork<undefined> {
  return {
    precondition: async () => ({
      kind: 'refuse',
      sentence: `This version of Rekindle cannot run hooks of kind ${hook.kind}.`,
      next: `Take ${hook.id} out of the station's hook plan and do its work by hand.`,
    }),
    plan: async () => ({ lines: [], planned: undefined }),
    verify: async () => ({ result: { outcome: 'failed', sentence: 'It was not run.' }, evidence: [] }),
  };
}
