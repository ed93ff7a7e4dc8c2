import * as z from 'zod';
import { configuredHook } from './configured-hook.ts';
import { directorySchema } from './directory.ts';

/** Repairs the trust between a domain member and its domain, which an old image no longer has. */
export const domainRejoinSchema = z.strictObject({
  ...configuredHook,
  kind: z.literal('domain-rejoin'),
  directory: directorySchema,
  method: z
    .enum(['offline-join', 'reset-account', 'technician'])
    .default('offline-join')
    .describe(
      '`offline-join`: a blob made on the server, no credential on the station. `reset-account`: the account gets its default password. `technician`: somebody with the right types a credential.',
    ),
  rotationDays: z
    .int()
    .min(1)
    .max(999)
    .default(30)
    .describe('How often the domain changes the password of the account; an older image is warned about.'),
});
export type DomainRejoin = z.infer<typeof domainRejoinSchema>;
