import type { Evidence, HookResult, PlanLine } from './hook-result.ts';

/**
 * One hook in one phase. The runner calls the four in this order, each within the hook's time; it stops at the
 * first that says so, and writes one record. Whatever throws is a failure of this hook and of those after it.
 */
export interface HookWork<Context, Planned = unknown> {
  /** May it start? Only reads. */
  precondition(context: Context): Promise<Precondition>;
  /** What it would do; only reads. All that a dry run calls. */
  plan(context: Context): Promise<WorkPlan<Planned>>;
  /** Does it. Twice is like once. Absent where there is nothing to do but to look. */
  apply?(context: Context, planned: Planned): Promise<void>;
  /** Looks whether it is done, at the thing itself and not at what `apply` believes. */
  verify(context: Context, planned: Planned): Promise<Verified>;
}

export type Precondition =
  | { readonly kind: 'ready' }
  | { readonly kind: 'skip'; readonly reason: string }
  | {
      readonly kind: 'refuse';
      readonly sentence: string;
      readonly next?: string;
      readonly evidence?: readonly Evidence[];
    };

export interface WorkPlan<Planned> {
  readonly lines: readonly PlanLine[];
  readonly planned: Planned;
  readonly evidence?: readonly Evidence[];
}

export interface Verified {
  readonly result: HookResult;
  readonly evidence: readonly Evidence[];
}
