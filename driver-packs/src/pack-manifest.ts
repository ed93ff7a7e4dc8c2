import * as z from 'zod';
import { sha256HexSchema } from '#images/format/image-manifest.ts';

// `/rekindle/pack/pack.json` in the second initrd (driver-packs/README.md).

export const packModuleSchema = z.strictObject({
  /** Module name with underscores, as the kernel says it. */
  name: z.string().regex(/^[a-z0-9_]+$/i),
  /** Below `/rekindle/pack/`, e.g. `modules/ahci.ko`. */
  file: z.string(),
  sha256: sha256HexSchema,
  bytes: z.int().positive(),
  /** Modalias patterns that the module binds (modinfo -F alias). */
  aliases: z.array(z.string()),
  /** Modules of this pack that must be loaded first: dependencies and soft dependencies (pre). */
  needs: z.array(z.string()),
  /** Debian's kernel package, or a vendor's folder. */
  origin: z.enum(['kernel', 'vendor']),
  /** By a key built into the kernel, by another one, or not at all: Secure Boot takes only the first. */
  signature: z.enum(['kernel', 'foreign', 'none']),
  /** Firmware files that it may ask for, whether this pack has them or not. */
  firmware: z.array(z.string()),
});
export type PackModule = z.infer<typeof packModuleSchema>;

export const packManifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** The station, or null for the universal pack of the enrolment window. */
  station: z.string().nullable(),
  /** `uname -r` of the kernel that the modules are for. */
  kernel: z.string(),
  /**
   * `all`: every module, in this order (a station's pack). `matching`: those whose aliases match a device
   * that is there, with what they need, until nothing new turns up (the universal pack).
   */
  load: z.enum(['all', 'matching']),
  /** In load order. */
  modules: z.array(packModuleSchema),
  firmware: z.array(z.strictObject({ file: z.string(), sha256: sha256HexSchema, bytes: z.int().positive() })),
  /** Devices of the passport that the pack was built for, and what binds them. */
  covers: z.array(
    z.strictObject({ slot: z.string(), id: z.string(), pciClass: z.string(), module: z.string() }),
  ),
});
export type PackManifest = z.infer<typeof packManifestSchema>;
