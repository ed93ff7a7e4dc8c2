import * as z from 'zod';
import { configuredHook } from './configured-hook.ts';

/** Clears what SQL Server still knows of old WinCC projects (Siemens FAQ 56897157, section 5.3). */
export const sqlManagementDataSchema = z.strictObject({
  ...configuredHook,
  kind: z.literal('sql-management-data'),
  instance: z
    .string()
    .regex(/^[A-Za-z_#][A-Za-z0-9_$#]{0,15}$/, 'the name of an instance of SQL Server')
    .default('WINCC')
    .describe('Instance of SQL Server on the station.'),
  pcs7: z
    .string()
    .min(1)
    .max(40)
    .optional()
    .describe('PCS 7 version of the station, e.g. "V8.1". Unknown: the plan is listed and a person decides.'),
});
