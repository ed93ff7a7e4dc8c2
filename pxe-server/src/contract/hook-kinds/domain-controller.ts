import * as z from 'zod';
import { configuredHook, ownTimeout, usualTimeoutSeconds } from './configured-hook.ts';
import { directorySchema } from './directory.ts';

/** As `wbadmin get versions` writes it: MM/DD/YYYY-HH:MM. */
const backupVersion = z
  .string()
  .regex(/^\d\d\/\d\d\/\d{4}-\d\d:\d\d$/, 'MM/DD/YYYY-HH:MM, as wbadmin writes it');

/**
 * How the directory of a restored controller gets a state that its partners accept. There is no default: a
 * controller started from an image alone loses changes silently (USN rollback, KB 875495).
 */
export const systemStateSchema = z.discriminatedUnion('from', [
  z.strictObject({
    from: z
      .literal('backup')
      .describe('System state restored by wbadmin in directory services restore mode.'),
    version: backupVersion,
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
    from: z
      .literal('backup-in-store')
      .describe(
        'The same, from the image store: it is copied onto a drive of the restored Windows before that starts.',
      ),
    version: z
      .union([z.literal('latest'), backupVersion])
      .describe('`latest` is the newest of this station when its restore is prepared.'),
    drive: z
      .string()
      .regex(/^[C-Zc-z]:$/, 'a letter and a colon, e.g. D:')
      .toUpperCase()
      .describe(
        'Where it is copied to, by its letter in the restored Windows: an NTFS volume of a restored disk.',
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
export type StateByWbadmin = Extract<SystemState, { readonly from: 'backup' | 'backup-in-store' }>;

/** Its state comes back in directory services restore mode, by wbadmin. */
export const isByWbadmin = (state: SystemState): state is StateByWbadmin =>
  state.from === 'backup' || state.from === 'backup-in-store';

/** Gigabytes are copied and read back. */
const copyTimeoutSeconds = 3600;

const writtenSchema = z.strictObject({
  ...configuredHook,
  timeoutSeconds: ownTimeout(
    `${usualTimeoutSeconds}, or ${copyTimeoutSeconds} with a system state from the store`,
  ),
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

export const domainControllerSchema = writtenSchema.transform(({ timeoutSeconds, ...hook }) => ({
  ...hook,
  timeoutSeconds:
    timeoutSeconds ??
    (hook.systemState.from === 'backup-in-store' ? copyTimeoutSeconds : usualTimeoutSeconds),
}));
export type DomainController = z.infer<typeof domainControllerSchema>;
