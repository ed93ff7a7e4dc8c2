import * as z from 'zod';
import { hookPhaseSchema } from '../hook-result.ts';
import { configuredHook } from './configured-hook.ts';

/** A hook of the site's own: an executable in the site folder's `hooks/bin`, spoken to in JSON (hook-executable.ts). */
export const siteHookSchema = z.strictObject({
  ...configuredHook,
  kind: z.literal('site'),
  executable: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'the name of a file in hooks/bin')
    .describe('Name of the file in `hooks/bin` of the site folder.'),
  phases: z
    .array(hookPhaseSchema)
    .min(1)
    .refine((phases) => new Set(phases).size === phases.length, { error: 'a phase is there twice' }),
  title: z.string().min(1).max(72).describe('What it does, as the technician reads it.'),
  settings: z
    .record(z.string(), z.json())
    .default({})
    .describe('Handed to it as it is. Nothing secret: it is shown and reported.'),
});
