import type { ServerHook } from './server-hook.ts';

/** Nothing to look at before the restore: which cards there are, the check of the hardware passport has settled. */
export const networkOrderHook: ServerHook<'network-order'> = {
  kind: 'network-order',
  title: () => 'Order of the network cards',
  preflight: {
    precondition: async () => ({ kind: 'ready' }),
    plan: async () => ({
      planned: undefined,
      lines: [
        {
          kind: 'change',
          sentence: 'Network cards get back their names and order; both are checked at the first start.',
        },
      ],
    }),
    verify: async () => ({
      result: { outcome: 'done', sentence: 'It needs nothing before the restore.' },
      evidence: [],
    }),
  },
};
