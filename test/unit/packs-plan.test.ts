import { expect, test } from 'vitest';
import { checkCoverage } from '#driver-packs/check-coverage.ts';
import { parseKernelDependency } from '#driver-packs/kernel-package.ts';
import { inLoadOrder, type ModuleIndex, parseModuleIndex } from '#driver-packs/module-index.ts';
import type { PackManifest } from '#driver-packs/pack-manifest.ts';
import { planDriverPack } from '#driver-packs/plan-driver-pack.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Lines of a real kernel's tables (Debian 6.1.192-2), shortened. */
const index: ModuleIndex = parseModuleIndex('6.1.0-56-amd64', {
  dep: [
    'kernel/drivers/scsi/scsi_common.ko:',
    'kernel/drivers/scsi/scsi_mod.ko: kernel/drivers/scsi/scsi_common.ko',
    'kernel/lib/crc-t10dif.ko:',
    'kernel/crypto/crct10dif_generic.ko:',
    'kernel/drivers/scsi/sd_mod.ko: kernel/lib/crc-t10dif.ko kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko',
    'kernel/drivers/ata/libata.ko: kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko',
    'kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libata.ko kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko',
    'kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko:',
    'kernel/drivers/net/phy/realtek.ko:',
    'kernel/drivers/net/ethernet/realtek/r8169.ko:',
    'kernel/drivers/virtio/virtio.ko:',
    'kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko',
    'kernel/drivers/net/virtio_net.ko: kernel/drivers/virtio/virtio.ko',
    'kernel/fs/cifs/cifs.ko:',
    'kernel/crypto/gcm.ko:',
    'kernel/drivers/usb/storage/usb-storage.ko: kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko',
    '',
  ].join('\n'),
  alias: [
    '# Aliases extracted from modules themselves.',
    'alias pci:v*d*sv*sd*bc01sc06i01* ahci',
    'alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e',
    'alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169',
    'alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci',
    'alias virtio:d00000001v* virtio_net',
    'alias scsi:t-0x00* sd_mod',
    'alias crct10dif crct10dif_generic',
    '',
  ].join('\n'),
  softdep: [
    'softdep r8169 pre: realtek',
    'softdep crc_t10dif pre: crct10dif',
    'softdep cifs gcm',
    'softdep cifs not-there',
    'softdep gcm post: cifs',
    '',
  ].join('\n'),
});

const realtek = { slot: '0000:03:00.0', id: '10ec:8168', subsystem: '1462:7a38', mac: '52:54:00:00:00:03' };

test('modules come after all that they need, soft dependencies by alias included', () => {
  expect(inLoadOrder(index, ['sd_mod', 'r8169', 'cifs']).map(({ name }) => name)).toEqual([
    'scsi_common',
    'scsi_mod',
    'crct10dif_generic',
    'crc_t10dif',
    'sd_mod',
    'realtek',
    'r8169',
    'gcm',
    'cifs',
  ]);
});

test('a pack binds every card and controller, brings the disk driver, and nothing else', () => {
  const plan = planDriverPack(somePassport(), index);
  expect(plan.uncovered).toEqual([]);
  expect(plan.covers.map(({ slot, module }) => `${slot} ${module}`)).toEqual([
    '0000:00:1f.2 ahci',
    '0000:00:02.0 e1000e',
    '0000:00:03.0 virtio_net',
  ]);
  expect(plan.modules.map(({ name }) => name).sort()).toEqual([
    'ahci',
    'crc_t10dif',
    'crct10dif_generic',
    'e1000e',
    'libata',
    'scsi_common',
    'scsi_mod',
    'sd_mod',
    'virtio',
    'virtio_net',
    'virtio_pci',
  ]);
});

test('a device that nothing binds is named by id and class, with or without a MAC address', () => {
  const passport = {
    ...somePassport(),
    networkCards: [
      { slot: '0000:05:00.0', id: 'dead:beef', subsystem: 'dead:0001', mac: '52:54:00:00:00:09' },
    ],
    modaliases: ['pci:v00001234d00005678sv00000000sd00000000bc02sc00i00'],
  };
  const { uncovered } = planDriverPack(passport, index);
  expect(uncovered.map(({ slot, id, className }) => [slot, id, className])).toEqual([
    ['0000:05:00.0', 'dead:beef', 'Ethernet controller'],
    ['slot unknown', '1234:5678', 'Ethernet controller'],
  ]);
});

test('a wireless card is not needed for recovery', () => {
  const passport = {
    ...somePassport(),
    modaliases: ['pci:v00008086d00002723sv00008086sd00000084bc02sc80i00'],
  };
  expect(planDriverPack(passport, index).uncovered).toEqual([]);
});

const manifestOf = (passport: Parameters<typeof planDriverPack>[0]): PackManifest => ({
  formatVersion: 1,
  station: 'TEST-1',
  kernel: index.kernel,
  load: 'all',
  modules: planDriverPack(passport, index).modules.map(({ name, aliases }) => ({
    name,
    file: `modules/${name}.ko`,
    sha256: '0'.repeat(64),
    bytes: 1,
    aliases: [...aliases],
    needs: [],
    origin: 'kernel',
    signature: 'kernel',
    firmware: [],
  })),
  firmware: [],
  covers: [],
});

test('coverage is proven from the manifest; a card that was added later is red', () => {
  const manifest = manifestOf(somePassport());
  expect(checkCoverage(somePassport(), manifest).missing).toEqual([]);
  const later = { ...somePassport(), networkCards: [...somePassport().networkCards, realtek] };
  expect(checkCoverage(later, manifest).missing).toEqual([
    'Ethernet controller 10ec:8168 (0000:03:00.0) has no driver in this pack for kernel 6.1.0-56-amd64',
  ]);
});

test.each([
  ['virtio_net', 'Ethernet controller 1af4:1000 (0000:00:03.0) has no driver'],
  ['virtio_pci', 'Ethernet controller 1af4:1000 (0000:00:03.0) has no driver'],
  ['sd_mod', 'the SCSI disk driver (sd_mod) is not in this pack'],
])('a pack without %s is red', (name, sentence) => {
  const manifest = manifestOf(somePassport());
  const modules = manifest.modules.filter((module) => module.name !== name);
  const { missing } = checkCoverage(somePassport(), { ...manifest, modules });
  expect(missing).toHaveLength(1);
  expect(missing[0]).toContain(sentence);
});

test('the kernel package is read from what apt says', () => {
  expect(
    parseKernelDependency(
      'Package: linux-image-amd64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)\n',
    ),
  ).toEqual({ name: 'linux-image-6.1.0-56-amd64', packageVersion: '6.1.192-2' });
  expect(parseKernelDependency('Package: linux-image-amd64\n')).toBeUndefined();
});
