import * as z from 'zod';

/** How the service reaches Active Directory. Files are relative to the site folder unless absolute. */
export const directorySchema = z.strictObject({
  domain: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i, 'a DNS domain, e.g. plant.example')
    .describe('DNS name of the domain.'),
  controllers: z
    .array(z.string().min(1).max(255))
    .min(1)
    .max(16)
    .describe('Host names of domain controllers, asked in this order over LDAPS.'),
  ca: z.string().min(1).describe('File with the CA (PEM) that the controllers’ certificates come from.'),
  account: z
    .string()
    .min(1)
    .max(104)
    .describe(
      'Delegated account, not an administrator; its rights are in docs/domain.md (Event Log Readers for controllers).',
    ),
  passwordFile: z.string().min(1).describe('File with its password, mode 0600.'),
});
export type Directory = z.infer<typeof directorySchema>;
