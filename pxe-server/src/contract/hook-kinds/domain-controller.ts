import * as z from 'zod';
import { configuredHook } from './configured-hook.ts';
import { directorySchema } from './directory.ts';

/**
 * How the directory of a restored controller gets a state that its partners accept. There is no default: a
 * controller started from an image alone loses changes silently (USN rollback, KB 875495).
 */
export const systemStateSchema = z.discriminatedUnion('from', [
  z.strictObject({
    from: z
      .literal('backup')
      .describe('System state restored by wbadmin in directory services restore mode.'),
    /** As `wbadmin get versions` writes it: MM/DD/YYYY-HH:MM. */
    version: z.string().regex(/^\d\d\/\d\d\/\d{4}-\d\d:\d\d$/, 'MM/DD/YYYY-HH:MM, as wbadmin writes it'),
    target: z
      .string()
      .max(260)
      .regex(/^[ -~]+$/, 'ASCII')
      .regex(/^[^"%&|<>^!]+$/, 'no character that a batch file takes for its own: " % & | < > ^ !')
      .describe(
        'Drive of the station that holds the backup, by its letter in the restored Windows. A share gets no credential: untested.',
      ),
  }),
  z.strictObject({
    from: z.literal('restored-from-backup-value'),
    accepted: z
      .literal('not supported by Microsoft')
      .describe('Last resort; written out so that nobody chooses it by mistake.'),
  }),
  z.strictObject({
    from: z.literal('only-controller-of-forest').describe('There is no partner; preflight checks that.'),
  }),
]);
export type SystemState = z.infer<typeof systemStateSchema>;

export const domainControllerSchema = z.strictObject({
  ...configuredHook,
  kind: z.literal('domain-controller'),
  directory: directorySchema,
  systemState: systemStateSchema,
  quarantine: z
    .enum(['network-off', 'by-hand'])
    .default('network-off')
    .describe(
      'With restored-from-backup-value: its network cards start when the agent has seen that its directory was renewed; by-hand: a person pulls the cables.',
    ),
  testContainer: z
    .string()
    .regex(/^(CN|OU)=.+,DC=.+$/i, 'a distinguished name, e.g. OU=Rekindle,DC=plant,DC=example')
    .optional()
    .describe(
      'Container in which the account may create and delete contacts: one is sent each way as the proof of replication.',
    ),
});
export type DomainController = z.infer<typeof domainControllerSchema>;
