import * as z from 'zod';
import { hookIdSchema } from '../hook-result.ts';

/** What every hook of a station's plan has, whatever its kind. Spread into the schema of a kind. */
export const configuredHook = {
  id: hookIdSchema.describe('Name of this hook in the plan and in the report.'),
  after: z
    .array(hookIdSchema)
    .default([])
    .describe('Hooks that have to have succeeded before: in each phase it runs after them.'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(7200)
    .default(300)
    .describe('How long each phase of it may take before it counts as failed.'),
};
