import type { HookKind } from '#contract/hook.ts';
import { domainControllerHook } from './domain-controller.ts';
import { domainRejoinHook } from './domain-rejoin.ts';
import { networkOrderHook } from './network-order.ts';
import type { ServerHook } from './server-hook.ts';
import { siteHook } from './site-hook.ts';
import { sqlManagementDataHook } from './sql-management-data.ts';

/** Every kind's part on the server. A kind that is missing here is refused in preflight, never passed over. */
export const serverHooks: { readonly [Kind in HookKind]?: ServerHook<Kind> } = {
  'domain-rejoin': domainRejoinHook,
  'domain-controller': domainControllerHook,
  'network-order': networkOrderHook,
  site: siteHook,
  'sql-management-data': sqlManagementDataHook,
};
