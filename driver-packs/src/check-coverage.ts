import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { matchesModalias, normaliseAlias } from './modalias.ts';
import type { PackManifest } from './pack-manifest.ts';
import { scsiDiskModalias } from './plan-driver-pack.ts';
import { type RequiredDevice, requiredDevices } from './required-devices.ts';

export interface CoverageRow extends RequiredDevice {
  /** The module of the pack that binds the device; undefined when none does. */
  readonly module: string | undefined;
}

export interface Coverage {
  readonly rows: readonly CoverageRow[];
  /** A sentence for each thing that is missing; empty means that the pack covers the station. */
  readonly missing: readonly string[];
}

/** Proves from a pack's manifest alone that it drives every network card and storage controller. */
export function checkCoverage(passport: HardwarePassport, manifest: PackManifest): Coverage {
  const binding = (modalias: string): string | undefined => {
    const wanted = normaliseAlias(modalias);
    return manifest.modules.find(({ aliases }) =>
      aliases.some((alias) => matchesModalias(normaliseAlias(alias), wanted)),
    )?.name;
  };
  const rows = requiredDevices(passport).map((device) => {
    const modules = device.modaliases.map(binding);
    return { ...device, module: modules.includes(undefined) ? undefined : modules.at(-1) };
  });

  const missing = rows
    .filter(({ module }) => module === undefined)
    .map(
      ({ className, slot, id }) =>
        `${className} ${id} (${slot}) has no driver in this pack for kernel ${manifest.kernel}`,
    );
  const names = new Set(manifest.modules.map(({ name }) => name));
  for (const { name, needs } of manifest.modules) {
    for (const needed of needs.filter((need) => !names.has(need))) {
      missing.push(`module ${name} needs ${needed}, which is not in this pack`);
    }
  }
  if (names.has('scsi_mod') && binding(scsiDiskModalias) === undefined) {
    missing.push(
      'the SCSI disk driver (sd_mod) is not in this pack, so no SATA, SAS or USB disk would appear',
    );
  }
  return { rows, missing };
}
