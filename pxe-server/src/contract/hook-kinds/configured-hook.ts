import * as z from 'zod';
import { hookIdSchema } from '../hook-result.ts';

const timeoutSeconds = z.int().min(1).max(7200);
export const usualTimeoutSeconds = 300;

/**
 * The time of a kind whose settings decide how much there is to do.
 * @param usual seconds, as a sentence's end: `300, or 3600 with …`
 */
export const ownTimeout = (usual: string) =>
  timeoutSeconds
    .optional()
    .describe(`How long each phase of it may take before it counts as failed; ${usual}.`);

/** What every hook of a station's plan has, whatever its kind. Spread into the schema of a kind. */
export const configuredHook = {
  id: hookIdSchema.describe('Name of this hook in the plan and in the report.'),
  after: z
    .array(hookIdSchema)
    .default([])
    .describe('Hooks that have to have succeeded before: in each phase it runs after them.'),
  timeoutSeconds: timeoutSeconds
    .default(usualTimeoutSeconds)
    .describe('How long each phase of it may take before it counts as failed.'),
};
