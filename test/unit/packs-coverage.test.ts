import { expect, test } from 'vitest';
import { checkCoverage } from '#driver-packs/check-coverage.ts';
import { parseMadison } from '#driver-packs/debian-package.ts';
import { parseModuleIndex } from '#driver-packs/module-index.ts';
import type { PackManifest, PackModule } from '#driver-packs/pack-manifest.ts';
import { parseBuiltin, planStoreRows } from '#driver-packs/store-coverage.ts';
import { judgeVermagic } from '#driver-packs/vendor-folder.ts';
import { formatCoverageTable } from '#scripts/driver-pack-table.ts';
import { somePassport } from '#test/support/some-passport.ts';

function module(name: string, aliases: string[], changed: Partial<PackModule> = {}): PackModule {
  return {
    name,
    file: `modules/${name}.ko`,
    sha256: '0'.repeat(64),
    bytes: 1,
    aliases,
    needs: [],
    origin: 'kernel',
    signature: 'kernel',
    firmware: [],
    ...changed,
  };
}

const ahci = module('ahci', ['pci:v*d*sv*sd*bc01sc06i01*']);
const virtio = [
  module('virtio_pci', ['pci:v00001AF4d*sv*sd*bc*sc*i*']),
  module('virtio_net', ['virtio:d00000001v*']),
];
const intel = 'pci:v00008086d000010D3sv*sd*bc*sc*i*';

const manifest = (card: PackModule, changed: Partial<PackManifest> = {}): PackManifest => ({
  formatVersion: 1,
  station: 'TEST-1',
  kernel: '6.1.0-56-amd64',
  load: 'all',
  modules: [ahci, ...virtio, card],
  firmware: [],
  covers: [],
  ...changed,
});

const secure = () => ({
  ...somePassport(),
  firmware: { ...somePassport().firmware, secureBoot: 'enabled' as const },
});

test('a driver with its firmware, signed by the kernel: green, as a table that fits the screen', () => {
  const card = module('bnx2', [intel], { firmware: ['bnx2/a.fw', 'bnx2/b.fw'] });
  const firmware = [{ file: 'firmware/bnx2/a.fw', sha256: '0'.repeat(64), bytes: 1 }];
  const { rows, missing, notes } = checkCoverage(secure(), manifest(card, { firmware }));
  expect(missing).toEqual([]);
  expect(notes).toEqual(['module bnx2: 1 of 2 firmware files are not here']);
  const lines = formatCoverageTable(rows, []);
  expect(lines).toEqual([
    '    slot     id         driver      firmware  signature  class',
    'ok  00:1f.2  8086:2922  ahci        -         kernel     SATA controller (AHCI)',
    'ok  00:02.0  8086:10d3  bnx2        1 of 2    kernel     Ethernet controller',
    'ok  00:03.0  1af4:1000  virtio_net  -         kernel     Ethernet controller',
  ]);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(80);
});

test.each([
  ['none', 'has a driver (r8125) that is not signed, and Secure Boot is on at the station'],
  [
    'foreign',
    "has a driver (r8125) that is signed with a key that is not the kernel's, and Secure Boot is on",
  ],
] as const)(
  'a card whose driver has the signature "%s": red with Secure Boot, a note without',
  (signature, why) => {
    const pack = manifest(module('r8125', [intel], { signature, origin: 'vendor' }));
    expect(checkCoverage(secure(), pack).missing.join()).toContain(why);
    const without = checkCoverage(somePassport(), pack);
    expect(without.missing).toEqual([]);
    expect(without.notes.join()).toContain('Secure Boot would refuse it');
  },
);

test('a dependency that is not signed is red with Secure Boot, too', () => {
  const pack = manifest(module('e1000e', [intel]));
  pack.modules.unshift(module('vendor_lib', [], { signature: 'none', origin: 'vendor' }));
  expect(checkCoverage(secure(), pack).missing.join()).toContain('module vendor_lib is not signed');
});

test('a driver without any of its firmware is red, unless it is known to do without', () => {
  const missingOf = (name: string) =>
    checkCoverage(somePassport(), manifest(module(name, [intel], { firmware: ['x.bin'] }))).missing;
  expect(missingOf('bnx2x')).toEqual([
    'Ethernet controller 8086:10d3 (0000:00:02.0) has a driver (bnx2x) that is nothing without its firmware, and none of 1 files is in this pack',
  ]);
  expect(missingOf('r8169')).toEqual([]);
});

test('another kernel is served than the pack is for: red before anything else', () => {
  const pack = manifest(module('e1000e', [intel]));
  expect(checkCoverage(somePassport(), pack, { kernel: '6.1.0-56-amd64' }).missing).toEqual([]);
  expect(checkCoverage(somePassport(), pack, { kernel: '6.1.0-57-amd64' }).missing[0]).toBe(
    'the pack is for kernel 6.1.0-56-amd64, and 6.1.0-57-amd64 is served: none of it would load',
  );
});

test.each([
  ['6.1.0-56-amd64 SMP preempt mod_unload modversions ', undefined],
  ['6.1.0-50-amd64 SMP preempt mod_unload modversions ', 'rekindle runtime build --kernel 6.1.0-50-amd64'],
  ['6.1.0-56-amd64 SMP mod_unload ', 'is built with "SMP mod_unload"'],
  ['', 'does not say'],
])('a module of a vendor with the magic "%s"', (magic, expected) => {
  const why = judgeVermagic(magic, '6.1.0-56-amd64 SMP preempt mod_unload modversions ');
  if (expected === undefined) expect(why).toBeUndefined();
  else expect(why).toContain(expected);
});

test('what SMB needs: modules by name or alias, or built into the kernel, or missing', () => {
  const names = ['fs/smb/client/cifs', 'crypto/gcm', 'crypto/ctr', 'crypto/ghash-generic', 'crypto/cmac'];
  const index = parseModuleIndex('6.1.0-56-amd64', {
    dep: names.map((name) => `kernel/${name}.ko:`).join('\n'),
    alias: 'alias ghash ghash_generic\n',
    softdep: 'softdep cifs gcm\nsoftdep cifs cmac\n',
  });
  const builtin = parseBuiltin(
    'kernel/crypto/sha256_generic.ko\nkernel/crypto/hmac.ko\n',
    'sha256_generic.alias=sha256\0aes_generic.alias=aes\0md5.alias=md5\0hmac.license=GPL\0',
  );
  const rows = planStoreRows('smb', index, builtin);
  expect(Object.fromEntries(rows.map(({ need, state }) => [need, state]))).toEqual({
    cifs: 'module',
    gcm: 'module',
    ctr: 'module',
    ghash: 'module',
    ccm: 'missing',
    cmac: 'module',
    aes: 'built-in',
    sha256: 'built-in',
    sha512: 'missing',
    hmac: 'built-in',
    md5: 'built-in',
  });
});

test('versions of a package as apt-cache madison lists them', () => {
  expect(
    parseMadison(
      'linux-image-amd64 |  6.1.192-2 | http://mirror.example/debian-security bookworm-security/main amd64 Packages\n' +
        'linux-image-amd64 |  6.1.176-1 | http://mirror.example/debian bookworm/main amd64 Packages\n' +
        'linux-signed-amd64 |  6.1.176+1 | http://mirror.example/debian bookworm/main Sources\n',
    ),
  ).toEqual(['6.1.192-2', '6.1.176-1']);
  expect(parseMadison('')).toEqual([]);
});
