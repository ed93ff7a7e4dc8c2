import { errorChain, RekindleError } from '#base/errors.ts';
import type { HookMaterial } from '#contract/first-boot.ts';
import type { HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import { blockedBy } from '#contract/run-hooks.ts';
import { withinHookTime } from './hook-time.ts';
import { serverHookOf } from './run-preflight.ts';
import type { ImageUnderRestore } from './server-hook.ts';

export type Provided = Pick<HookMaterial, 'files' | 'failed'>;

/** What every hook gives to the station. One that cannot make its own fails; the others go on. */
export async function provideMaterial(
  plan: HookPlan,
  preflight: readonly HookRecord[],
  image: ImageUnderRestore,
  siteFolder: string,
): Promise<Provided> {
  const provided: { files: Provided['files']; failed: Provided['failed'] } = { files: [], failed: [] };
  for (const hook of plan.hooks) {
    const provide = serverHookOf(hook)?.provide;
    if (provide === undefined || blockedBy(hook, preflight) !== undefined) continue;
    try {
      const files = await withinHookTime(hook, (signal) =>
        provide({ plan, image, earlier: preflight, siteFolder, signal }),
      );
      for (const { name, bytes, secret } of files) {
        provided.files.push({ hook: hook.id, name, content: Buffer.from(bytes).toString('base64'), secret });
      }
    } catch (error) {
      const next = error instanceof RekindleError ? error.next : undefined;
      const sentence = errorChain(error).join(': ');
      provided.failed.push({ hook: hook.id, sentence, ...(next === undefined ? {} : { next }) });
    }
  }
  return provided;
}
