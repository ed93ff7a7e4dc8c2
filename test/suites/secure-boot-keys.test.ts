import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SecureBootKeys } from '#images/passport/secure-boot-keys.ts';
import { parseSignatureLists, readSecureBootKeys } from '#runtime/inventory/secure-boot-keys.ts';
import { judgeLoaders, type Loader } from '#scripts/media/judge-loaders.ts';
import { efiSystemPartition } from '#scripts/media/loaders.ts';
import { parsePeImage } from '#scripts/media/pe-image.ts';
import { readLoaders } from '#scripts/media/read-loaders.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

/** Debian's real loaders against the variables of a real firmware (OVMF with Microsoft's keys). */

const folder = makeTemporaryFolder();
const shim = '/usr/lib/shim/shimx64.efi.signed';
let loaders: Loader[];
let factory: SecureBootKeys;

/** Value of an authenticated variable in OVMF's variable store: its name in UTF-16, then the data. */
function variable(name: string): Buffer {
  const store = readFileSync('/usr/share/OVMF/OVMF_VARS_4M.ms.fd');
  const header = 60;
  const wanted = Buffer.from(`${name}\0`, 'utf16le');
  for (let at = store.indexOf(wanted); at !== -1; at = store.indexOf(wanted, at + 1)) {
    const start = at - header;
    // StartId 0x55AA, state "added", length of the name (MdeModulePkg, VariableFormat.h).
    if (start < 0 || store.readUInt16LE(start) !== 0x55aa || store[start + 2] !== 0x3f) continue;
    if (store.readUInt32LE(start + 36) !== wanted.length) continue;
    const bytes = store.readUInt32LE(start + 40);
    return store.subarray(at + wanted.length, at + wanted.length + bytes);
  }
  throw new Error(`${name} is not in the store`);
}

beforeAll(async () => {
  const image = path.join(folder.path, 'efi.img');
  writeFileSync(image, await efiSystemPartition(folder.path));
  loaders = await readLoaders(image);
  const variables = path.join(folder.path, 'sys/firmware/efi/efivars');
  mkdirSync(variables, { recursive: true });
  for (const name of ['db', 'dbx']) {
    const file = path.join(variables, `${name}-d719b2cb-3d3a-4596-a3bc-dad00e67656f`);
    writeFileSync(file, Buffer.concat([Buffer.alloc(4), variable(name)]));
  }
  factory = (await readSecureBootKeys({ root: folder.path })) as SecureBootKeys;
});
afterAll(() => folder[Symbol.dispose]());

test("a firmware's factory keys: who may sign, what is revoked", () => {
  expect(factory.db.map(({ subject }) => subject)).toContain('Microsoft Corporation UEFI CA 2011');
  expect(factory.dbx).toMatchObject({ loaders: [expect.stringMatching(/^[0-9a-f]{64}$/)], certificates: [] });
  expect(factory.sbatLevel).toBeUndefined();
});

test('a list that is cut short ends the reading, and says no more than it has', () => {
  const whole = variable('db');
  for (const cut of [0, 1, 27, 28, 60, whole.length - 1])
    expect(parseSignatureLists(whole.subarray(0, cut)).length).toBeLessThan(
      parseSignatureLists(whole).length,
    );
});

test("our hash of shim is the one that Microsoft's signatures sign", () => {
  const { authenticodeSha256, signatures } = parsePeImage(readFileSync(shim));
  expect(signatures.length).toBeGreaterThan(0);
  for (const [number, der] of signatures.entries()) {
    const file = path.join(folder.path, `signature-${number}`);
    writeFileSync(file, der);
    const structure = execFileSync('openssl', ['asn1parse', '-inform', 'DER', '-in', file], {
      encoding: 'utf8',
    });
    expect(structure.toLowerCase()).toContain(authenticodeSha256);
  }
});

test('these loaders start with the factory keys', () => {
  expect(loaders.map(({ name }) => name)).toEqual([
    'EFI/BOOT/BOOTX64.EFI',
    'EFI/BOOT/mmx64.efi',
    'EFI/BOOT/grubx64.efi',
  ]);
  expect(judgeLoaders(loaders, factory)).toEqual([]);
});

test('pain 19: what makes a station refuse them is named', () => {
  const [first] = loaders as [Loader];
  const revoked = { ...factory, dbx: { ...factory.dbx, loaders: [first.authenticodeSha256] } };
  expect(judgeLoaders(loaders, revoked)).toEqual(['EFI/BOOT/BOOTX64.EFI is revoked: its hash is in dbx.']);

  const own = { ...factory, db: [{ sha256: '0'.repeat(64), subject: 'Plant CA' }] };
  expect(judgeLoaders(loaders, own)).toEqual([
    expect.stringMatching(/^EFI\/BOOT\/BOOTX64\.EFI is signed by Microsoft.*, and db has only Plant CA\.$/),
  ]);

  const certificates = first.signatures.flatMap((chain) => chain.map(({ sha256 }) => sha256));
  const withdrawn = { ...factory, dbx: { ...factory.dbx, certificates } };
  expect(judgeLoaders(loaders, withdrawn)).toEqual([
    'EFI/BOOT/BOOTX64.EFI is revoked: every certificate that signed it is in dbx.',
  ]);

  const strict = { ...factory, sbatLevel: 'sbat,1,2030010100\nshim,4\ngrub,99\ngrub.debian,5\n' };
  expect(judgeLoaders(loaders, strict)).toEqual([
    expect.stringMatching(
      /^EFI\/BOOT\/grubx64\.efi has grub of generation \d+, and SbatLevel asks for 99\.$/,
    ),
  ]);
});
