import type { HookKind } from '#contract/hook.ts';
import { domainController } from './domain/domain-controller.ts';
import { domainRejoin } from './domain/domain-rejoin.ts';
import { networkOrder } from './network/network-order.ts';
import type { OfflineHook } from './offline-hook.ts';
import { siteHook } from './site-hook.ts';
import { sqlManagementData } from './sql/sql-management-data.ts';

/** Every kind's part in the runtime. */
export const offlineHooks: { readonly [Kind in HookKind]?: OfflineHook<Kind> } = {
  'domain-controller': domainController,
  'domain-rejoin': domainRejoin,
  'network-order': networkOrder,
  site: siteHook,
  'sql-management-data': sqlManagementData,
};
