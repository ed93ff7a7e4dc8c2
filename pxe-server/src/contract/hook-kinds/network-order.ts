import * as z from 'zod';
import { configuredHook } from './configured-hook.ts';

/** Gives network cards back their names and order after a restore, and checks both at the first start. */
export const networkOrderSchema = z.strictObject({
  ...configuredHook,
  kind: z.literal('network-order'),
});
