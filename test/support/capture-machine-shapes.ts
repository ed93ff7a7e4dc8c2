/**
 * Captures the shapes of machine-shapes.ts anew: each is booted once in QEMU with the real runtime, and what the
 * inventory reads of it lands in test/support/captured-sysfs/<shape>.tsv.
 *
 *     node test/support/capture-machine-shapes.ts [SHAPE …]
 *
 * Some 20 to 60 s a shape without KVM. The files are test data: look at what changed before you keep it.
 */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { type BuiltRuntime, buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';
import { bootToTheEnd } from './boot-to-the-end.ts';
import { machineShapes } from './machine-shapes.ts';
import { somePassport } from './some-passport.ts';

/** Drivers of everything that the shapes have. */
const drivers = [
  ...[
    'virtio_pci',
    'virtio_net',
    'e1000',
    'e1000e',
    'e100',
    '8139cp',
    '8139too',
    'pcnet32',
    'vmxnet3',
    'tulip',
  ],
  ...['ahci', 'ata_piix', 'ata_generic', 'nvme', 'virtio_blk', 'virtio_scsi', 'megaraid_sas', 'mptsas'],
  ...[
    'sym53c8xx',
    'vmw_pvscsi',
    'sr_mod',
    'sdhci_pci',
    'mmc_block',
    'usb_storage',
    'uas',
    'cdc_ether',
    'rndis_host',
  ],
];

const folder = await mkdtemp(join(tmpdir(), 'machine-shapes-'));
try {
  const wanted = process.argv.slice(2);
  const cacheDirectory = '.rekindle/cache';
  const entry = 'test/support/runtime-probe.ts';
  const runtime = await buildRuntime({ cacheDirectory, fast: true, entry, workers: {} });
  const initrd = await writeInitrd(runtime);
  for (const [name, qemu] of Object.entries(machineShapes)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const disk = join(folder, 'disk.raw');
    await writeFile(disk, '');
    await truncate(disk, 64 * 2 ** 20);
    const console_ = await bootToTheEnd(qemu(disk), runtime.vmlinuz, initrd, 'probe=capture');
    const captured = /captured sysfs\r?\n([\s\S]*)end of sysfs/.exec(console_)?.[1];
    if (captured === undefined) throw new Error(`${name} was not captured; its console:\n${console_}`);
    const file = `test/support/captured-sysfs/${name}.tsv`;
    await writeFile(file, captured.replaceAll('\r', ''));
    console.log(`${file}: ${captured.split('\n').length} lines`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function writeInitrd(runtime: BuiltRuntime): Promise<string> {
  const passport = { ...somePassport(), networkCards: [], storageControllers: [], modaliases: [] };
  const output = join(folder, 'shapes.pack');
  const station = 'SHAPES';
  const pack = await buildDriverPack({ passport, station, kernel: runtime.kernel, output, also: drivers });
  const site = { caPem: 'none', imageSignerPublicKey: 'none' };
  const base = await writeSiteRuntime({ base: runtime.initrd.path, site, output: join(folder, 'runtime') });
  const initrd = join(folder, 'initrd');
  await writeFile(initrd, Buffer.concat([await readFile(base.path), await readFile(pack.file.path)]));
  return initrd;
}
