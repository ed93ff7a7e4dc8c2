import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { matchesModalias, normaliseAlias } from '#driver-packs/modalias.ts';
import type { PackManifest, PackModule } from '#driver-packs/pack-manifest.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { listDirectory, readAttribute, type Sysfs } from '../inventory/sysfs.ts';
import {
  type DeviceWithoutDriver,
  devicesWithoutDriver,
  formatDevicesWithoutDriver,
} from './devices-without-driver.ts';
import { type InsertModules, insertModules } from './insert-modules.ts';
import { findOtherModels, type OtherModel } from './other-models.ts';
import { packDirectory, readPackManifest, verifiedFile } from './read-pack.ts';
import { waitForDevices } from './wait-for-devices.ts';

export interface ModuleOutcome {
  readonly name: string;
  /** `no-device` (ENODEV): it drives nothing here; a variant for another processor says so, and its plain sister does the work. */
  readonly outcome: 'loaded' | 'was-loaded' | 'no-device' | 'refused';
  /** The kernel's word for a refusal, e.g. "Key was rejected by service". */
  readonly reason?: string;
}

export type PackLoad =
  | { readonly kind: 'no-pack'; readonly withoutDriver: readonly DeviceWithoutDriver[] }
  | {
      readonly kind: 'other-kernel';
      readonly packKernel: string;
      readonly kernel: string;
      readonly withoutDriver: readonly DeviceWithoutDriver[];
    }
  | {
      readonly kind: 'loaded';
      readonly station: string | null;
      readonly modules: readonly ModuleOutcome[];
      readonly withoutDriver: readonly DeviceWithoutDriver[];
      /** Those of them that stand where the pack's station has another model. */
      readonly otherModels: readonly OtherModel[];
    };

export interface LoadOptions {
  readonly root?: string;
  readonly insert?: InsertModules;
  /** The site's key, which the manifest has to be signed with. */
  readonly signer?: PublicKey;
  /** How long no device may come or go before loading counts as finished. */
  readonly quietMilliseconds?: number;
}

/**
 * Loads the driver pack of this initrd, waits for the devices behind it, and says what is still without a
 * driver. A module that the kernel refuses is an outcome: another one may drive the device.
 * @throws RekindleError `verification-failed` when a file of the pack is not what its manifest says.
 */
export async function loadDriverPack({
  root = '/',
  insert = insertModules,
  quietMilliseconds = 1000,
  signer,
}: LoadOptions = {}): Promise<PackLoad> {
  const sysfs: Sysfs = { root };
  const manifest = await readPackManifest(root, packDirectory, signer);
  if (manifest === undefined) return { kind: 'no-pack', withoutDriver: await devicesWithoutDriver(root) };
  const kernel = (await readAttribute(sysfs, 'proc/sys/kernel/osrelease')) ?? '';
  if (manifest.kernel !== kernel) {
    const withoutDriver = await devicesWithoutDriver(root);
    return { kind: 'other-kernel', packKernel: manifest.kernel, kernel, withoutDriver };
  }

  for (const file of manifest.firmware) await verifiedFile(root, file);
  if (manifest.firmware.length > 0) {
    const parameter = join(root, 'sys/module/firmware_class/parameters/path');
    await writeFile(parameter, `/${packDirectory}/firmware`);
  }
  const loaded = new Map<string, ModuleOutcome>();
  const load = async (modules: readonly PackModule[]) => {
    const fresh = modules.filter(({ name }) => !loaded.has(name));
    for (const outcome of await loadModules(sysfs, fresh, insert)) loaded.set(outcome.name, outcome);
  };
  if (manifest.load === 'all') {
    await load(manifest.modules);
    await waitForDevices({ root, quietMilliseconds });
  } else {
    await loadMatching(sysfs, manifest, load, quietMilliseconds);
  }
  const withoutDriver = await devicesWithoutDriver(root);
  return {
    kind: 'loaded',
    station: manifest.station,
    modules: [...loaded.values()],
    withoutDriver,
    otherModels: findOtherModels(manifest.covers, withoutDriver),
  };
}

/** All files are verified before the first one is loaded. */
export async function loadModules(
  sysfs: Sysfs,
  modules: readonly PackModule[],
  insert: InsertModules,
  directory = packDirectory,
): Promise<ModuleOutcome[]> {
  const paths = new Map<string, string>();
  for (const module of modules) {
    const path = await verifiedFile(sysfs.root, module, directory);
    const present = (await listDirectory(sysfs, `sys/module/${module.name}`)).includes('initstate');
    if (!present) paths.set(module.name, path);
  }
  const reasons = paths.size === 0 ? [] : await insert([...paths.values()]);
  const reasonOf = new Map([...paths.keys()].map((name, number) => [name, reasons[number]]));
  return modules.map(({ name }): ModuleOutcome => {
    if (!reasonOf.has(name)) return { name, outcome: 'was-loaded' };
    const reason = reasonOf.get(name);
    if (reason === undefined) return { name, outcome: 'loaded' };
    return reason === 'No such device'
      ? { name, outcome: 'no-device' }
      : { name, outcome: 'refused', reason };
  });
}

/**
 * Loads what matches, looks again at what appeared behind it, and ends when nothing new matches. Most drivers
 * have found their devices when insmod returns; for the others there is the wait at the end.
 */
async function loadMatching(
  sysfs: Sysfs,
  manifest: PackManifest,
  load: (modules: readonly PackModule[]) => Promise<void>,
  quietMilliseconds: number,
): Promise<void> {
  const seen = new Set<string>();
  for (let waited = false; ; ) {
    const fresh = (await presentModaliases(sysfs)).filter((modalias) => !seen.has(modalias));
    if (fresh.length > 0) {
      for (const modalias of fresh) seen.add(modalias);
      await load(modulesToLoad(manifest, fresh));
      waited = false;
    } else if (waited) {
      return;
    } else {
      await waitForDevices({ root: sysfs.root, quietMilliseconds });
      waited = true;
    }
  }
}

/** Modules of the pack that bind one of the devices, and what they need, in manifest order. */
function modulesToLoad(manifest: PackManifest, modaliases: readonly string[]): PackModule[] {
  const wanted = modaliases.map(normaliseAlias);
  const byName = new Map(manifest.modules.map((module) => [module.name, module]));
  const chosen = new Set<string>();
  const choose = (name: string) => {
    if (chosen.has(name)) return;
    chosen.add(name);
    for (const needed of byName.get(name)?.needs ?? []) choose(needed);
  };
  for (const { name, aliases } of manifest.modules) {
    const binds = aliases.map(normaliseAlias).some((a) => wanted.some((w) => matchesModalias(a, w)));
    if (binds) choose(name);
  }
  return manifest.modules.filter(({ name }) => chosen.has(name));
}

const buses: readonly string[] = ['pci', 'usb', 'virtio', 'vmbus', 'xen', 'scsi', 'mmc'];

async function presentModaliases(sysfs: Sysfs): Promise<string[]> {
  const found = new Set<string>();
  for (const bus of buses) {
    const directory = `sys/bus/${bus}/devices`;
    for (const name of await listDirectory(sysfs, directory)) {
      const modalias = await readAttribute(sysfs, `${directory}/${name}/modalias`);
      if (modalias) found.add(modalias);
    }
  }
  return [...found];
}

/** What the console says about the drivers: nothing when everything is driven. */
export function formatPackLoad(load: PackLoad): string[] {
  const lines: string[] = [];
  if (load.kind === 'no-pack') {
    lines.push(
      `There is no driver pack in this boot (/${packDirectory}/pack.json), so nothing drives this machine's network or disks.`,
    );
  } else if (load.kind === 'other-kernel') {
    lines.push(
      `The driver pack is for kernel ${load.packKernel}, but ${load.kernel} is running: none of it was loaded.`,
    );
  } else {
    for (const { name, outcome, reason } of load.modules) {
      if (outcome === 'refused') lines.push(`The kernel refused driver ${name}: ${reason}`);
    }
  }
  if (load.withoutDriver.length > 0) {
    lines.push('Devices that no driver binds (slot, PCI id, what it is):');
    lines.push(...formatDevicesWithoutDriver(load.withoutDriver));
  }
  return lines;
}
