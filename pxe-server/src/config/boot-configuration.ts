import * as z from 'zod';
import { loaders } from '../boot/loader-name.ts';

/** The section `boot` of `rekindle.yaml`. */

/** A file below the site's `boot` folder; nothing else of the file system has a name there. */
const bootFolderFile = z
  .string()
  .regex(/^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._/-]{0,127}$/, 'a path below the folder `boot` of the site');
const otherSystemCommon = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'small letters, digits and hyphens')
    .refine((name) => !['recovery', 'local-disk', 'memory-test'].includes(name), 'this name is taken'),
  title: z.string().regex(/^[ -~]{1,60}$/, 'at most 60 printable ASCII characters'),
};
const otherSystemSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...otherSystemCommon,
    kind: z.literal('linux'),
    kernel: bootFolderFile,
    initrds: z.array(bootFolderFile).max(8).default([]),
    commandLine: z
      .string()
      .max(1000)
      .regex(/^(?!.*([|&]{2}|\$\{))[ -~]*$/, 'printable ASCII without ||, && and ${')
      .default(''),
  }),
  z.strictObject({ ...otherSystemCommon, kind: z.literal('iso'), file: bootFolderFile }),
  z.strictObject({
    ...otherSystemCommon,
    kind: z.literal('winpe'),
    wimboot: bootFolderFile,
    bootSdi: bootFolderFile,
    bootWim: bootFolderFile,
    bcd: bootFolderFile,
  }),
]);
export type ConfiguredSystem = z.infer<typeof otherSystemSchema>;

export const bootSchema = z.strictObject({
  menuSeconds: z
    .int()
    .min(1)
    .max(600)
    .default(10)
    .describe('How long a known station that nobody armed shows its boot menu.'),
  withoutKey: z
    .enum(['local-disk', 'recovery'])
    .default('local-disk')
    .describe('What it starts when nobody presses a key; `recovery` waits at the log-on.'),
  loader: z
    .enum(loaders)
    .default('ipxe')
    .describe(
      'What firmware loads when the station has no setting of its own. `ipxe` takes turns with `ipxe-native` until one is heard; `signed-grub` lets machines with Secure Boot be enrolled.',
    ),
  systems: z
    .array(otherSystemSchema)
    .max(20)
    .default([])
    .describe(
      'Other systems in the menu, of files below `boot` in the site folder: `kind: linux`, `iso` or `winpe`.',
    ),
});
