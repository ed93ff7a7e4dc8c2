import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { matchesModalias, normaliseAlias } from './modalias.ts';
import type { PackManifest, PackModule } from './pack-manifest.ts';
import { scsiDiskModalias } from './plan-driver-pack.ts';
import { type RequiredDevice, requiredDevices } from './required-devices.ts';

export interface CoverageRow extends RequiredDevice {
  /** The module of the pack that binds the device; undefined when none does. */
  readonly module: string | undefined;
  readonly origin: PackModule['origin'] | undefined;
  readonly signature: PackModule['signature'] | undefined;
  /** What its driver may ask for: files in the pack, and how many it names. */
  readonly firmware: { readonly present: number; readonly named: number };
  /** Why the device would not work; undefined: green. */
  readonly red: string | undefined;
}

export interface Coverage {
  readonly rows: readonly CoverageRow[];
  /** A sentence for each thing that is missing; empty means that the pack covers the station. */
  readonly missing: readonly string[];
  /** What a person should know, and what stops nothing. */
  readonly notes: readonly string[];
}

/**
 * Drivers that name firmware and do without it: link power saving or offloads are lost, packets are not
 * (linux/drivers/net/ethernet: r8169_firmware.c, e100.c "UCODE", tg3.c TSO and 5701 A0 only, 3com/typhoon apart).
 */
const worksWithoutFirmware: ReadonlySet<string> = new Set(['r8169', 'e100', 'tg3', 'acenic', 'starfire']);

export interface CoverageDemands {
  /** `uname -r` of the kernel that the site serves. */
  readonly kernel?: string;
}

/**
 * Proves from a pack's manifest alone that it drives every network card and storage controller: a module that binds
 * it, firmware where the driver is nothing without, a signature where Secure Boot asks for one, and all of it for the
 * kernel that is served. Pure.
 */
export function checkCoverage(
  passport: HardwarePassport,
  manifest: PackManifest,
  { kernel = manifest.kernel }: CoverageDemands = {},
): Coverage {
  const binding = (modalias: string): PackModule | undefined => {
    const wanted = normaliseAlias(modalias);
    return manifest.modules.find(({ aliases }) =>
      aliases.some((alias) => matchesModalias(normaliseAlias(alias), wanted)),
    );
  };
  const secureBoot = passport.firmware.secureBoot === 'enabled';
  const firmwareFiles = new Set(manifest.firmware.map(({ file }) => file));
  const rows = requiredDevices(passport).map((device): CoverageRow => {
    const modules = device.modaliases.map(binding);
    const module = modules.includes(undefined) ? undefined : modules.at(-1);
    const present = (module?.firmware ?? []).filter((name) => firmwareFiles.has(`firmware/${name}`)).length;
    const firmware = { present, named: module?.firmware.length ?? 0 };
    return {
      ...device,
      module: module?.name,
      origin: module?.origin,
      signature: module?.signature,
      firmware,
      red: judge(module, firmware, secureBoot, manifest.kernel),
    };
  });

  const missing = rows.flatMap(({ className, slot, id, red }) =>
    red === undefined ? [] : [`${className} ${id} (${slot}) ${red}`],
  );
  if (kernel !== manifest.kernel) {
    missing.unshift(
      `the pack is for kernel ${manifest.kernel}, and ${kernel} is served: none of it would load`,
    );
  }
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
  const bound = new Set(rows.map(({ module }) => module));
  for (const { name, signature } of manifest.modules) {
    if (secureBoot && signature !== 'kernel' && !bound.has(name))
      missing.push(`module ${name} ${unsigned[signature]}, and Secure Boot is on at the station`);
  }
  const notes = rows.flatMap(({ module, signature, firmware, red }) => {
    if (module === undefined || red !== undefined) return [];
    const lacks = firmware.named - firmware.present;
    return [
      ...(signature === 'kernel'
        ? []
        : [`module ${module} ${unsigned[signature ?? 'none']}; Secure Boot would refuse it`]),
      ...(lacks === 0 ? [] : [`module ${module}: ${lacks} of ${firmware.named} firmware files are not here`]),
    ];
  });
  return { rows, missing, notes: [...new Set(notes)] };
}

const unsigned = {
  kernel: 'is signed',
  foreign: "is signed with a key that is not the kernel's",
  none: 'is not signed',
} as const;

function judge(
  module: PackModule | undefined,
  firmware: CoverageRow['firmware'],
  secureBoot: boolean,
  kernel: string,
): string | undefined {
  if (module === undefined) return `has no driver in this pack for kernel ${kernel}`;
  if (secureBoot && module.signature !== 'kernel') {
    return `has a driver (${module.name}) that ${unsigned[module.signature]}, and Secure Boot is on at the station`;
  }
  if (firmware.named > 0 && firmware.present === 0 && !worksWithoutFirmware.has(module.name)) {
    return `has a driver (${module.name}) that is nothing without its firmware, and none of ${firmware.named} files is in this pack`;
  }
  return undefined;
}
