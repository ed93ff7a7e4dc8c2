import * as z from 'zod';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { domainControllerSchema } from './hook-kinds/domain-controller.ts';
import { domainRejoinSchema } from './hook-kinds/domain-rejoin.ts';
import { networkOrderSchema } from './hook-kinds/network-order.ts';
import { siteHookSchema } from './hook-kinds/site.ts';
import { sqlManagementDataSchema } from './hook-kinds/sql-management-data.ts';

/** A station's hook plan: `hooks/<STATION>.yaml` of the site folder, and what the runtime gets with its job. */

export const hookSchema = z.discriminatedUnion('kind', [
  sqlManagementDataSchema,
  domainRejoinSchema,
  domainControllerSchema,
  networkOrderSchema,
  siteHookSchema,
]);
export type Hook = z.infer<typeof hookSchema>;
export type HookKind = Hook['kind'];
export type HookOf<Kind extends HookKind> = Extract<Hook, { readonly kind: Kind }>;

/**
 * What is dangerous to forget is refused here, so that no code has to remember it.
 * - a domain controller without a hook for its system state (USN rollback)
 * - a controller's step that another hook could keep from giving the network back
 * - a first-boot step before a controller's own: it would have no network (quarantine), or an old directory, and would hold
 *   up the step that mends both
 * - SQL management data on a domain controller: WinCC is not permitted there, so one of both is a mistake
 */
export const hookPlanSchema = z
  .strictObject({
    station: stationNameSchema,
    stationRole: z.enum(['server', 'client', 'engineering-station', 'domain-controller']),
    hooks: z.array(hookSchema).max(64).default([]),
  })
  .superRefine(({ stationRole, hooks }, context) => {
    const refuse = (at: number | undefined, key: string, message: string) =>
      context.addIssue({ code: 'custom', path: at === undefined ? ['hooks'] : ['hooks', at, key], message });
    const has = (kind: HookKind) => hooks.some((hook) => hook.kind === kind);
    if (stationRole === 'domain-controller' && !has('domain-controller')) {
      refuse(
        undefined,
        '',
        'this station is a domain controller: it needs a hook of kind `domain-controller` with its `systemState`',
      );
    }
    for (const [at, hook] of hooks.entries()) {
      if (hook.kind === 'domain-controller' && stationRole !== 'domain-controller')
        refuse(at, 'kind', `this station is registered as ${stationRole}, not as a domain controller`);
      if (hook.kind === 'sql-management-data' && stationRole === 'domain-controller')
        refuse(at, 'kind', 'WinCC is not permitted on a domain controller: one of both is a mistake');
      if (hook.kind === 'domain-rejoin' && stationRole === 'domain-controller')
        refuse(at, 'kind', 'a domain controller is no member that could rejoin');
      if (hook.kind === 'domain-controller' && holdsNetwork(hook) && hook.after.length > 0)
        refuse(
          at,
          'after',
          'its first-boot step gives the network back: no other hook may keep it from running',
        );
      if (at < hooks.findIndex(({ kind }) => kind === 'domain-controller') && hasFirstBootStep(hook))
        refuse(
          at,
          'kind',
          'its first-boot step would run before the controller’s own, without a network: move it below the hook `domain-controller`',
        );
      if (hooks.findIndex(({ id }) => id === hook.id) !== at)
        refuse(at, 'id', `\`${hook.id}\` is there twice`);
      // A hook may only wait for one above it: the plan reads in the order in which it runs, and has no circles.
      for (const id of hook.after) {
        const before = hooks.findIndex((other) => other.id === id);
        if (before === -1) refuse(at, 'after', `there is no hook \`${id}\``);
        else if (before >= at) refuse(at, 'after', `\`${id}\` is not above \`${hook.id}\``);
      }
    }
  });
export type HookPlan = z.infer<typeof hookPlanSchema>;

/** Its network cards wait for its first-boot step. */
const holdsNetwork = ({ systemState, quarantine }: HookOf<'domain-controller'>): boolean =>
  systemState.from === 'restored-from-backup-value' && quarantine === 'network-off';

/** Of those that a controller's plan may have besides its own. */
const hasFirstBootStep = (hook: Hook): boolean =>
  hook.kind === 'network-order' || (hook.kind === 'site' && hook.phases.includes('first-boot'));
