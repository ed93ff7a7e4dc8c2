import { expect, test } from 'vitest';
import { backupVersion, systemStateManifestSchema } from '#images/format/system-state-manifest.ts';
import { findPathConflict, isWindowsPath } from '#images/format/windows-path.ts';

const sha256 = 'a'.repeat(64);
const file = (path: string) => ({ path, bytes: 1, sha256 });
const manifest = {
  formatVersion: 1,
  station: 'DC1',
  computerName: 'DC1',
  takenAt: '2026-11-20T02:00:00Z',
  version: '11/20/2026-02:00',
  files: [file('MediaId'), file('Backup 2026-11-20 020000/a.vhdx'), file('Catalog/GlobalCatalog')],
};
const isManifest = (changes: object) =>
  systemStateManifestSchema.safeParse({ ...manifest, ...changes }).success;

test('a manifest says what wbadmin calls the backup, and nothing else besides', () => {
  expect(isManifest({})).toBe(true);
  expect(backupVersion('2026-01-02T23:04:59Z')).toBe('01/02/2026-23:04');
  expect(isManifest({ version: '11/20/2026-02:01' })).toBe(false);
  expect(isManifest({ formatVersion: 2 })).toBe(false);
  expect(isManifest({ more: 1 })).toBe(false);
  expect(isManifest({ files: [] })).toBe(false);
  // Other spellings of the moment would be other bytes for the same thing.
  expect(isManifest({ takenAt: '2026-11-20T02:00:00.000Z' })).toBe(false);
  expect(isManifest({ takenAt: '2026-11-20T03:00:00+01:00', version: '11/20/2026-03:00' })).toBe(false);
});

test.each([
  '',
  '..',
  '../x',
  'a/../b',
  './a',
  '/etc/shadow',
  'a//b',
  'a/',
  'a\\b',
  'C:/x',
  'a:stream',
  'a\0b',
  'a\nb',
  'what?',
  'a.',
  'a /b',
  'NUL',
  'com1.txt',
  `${'x'.repeat(256)}`,
  `${'x/'.repeat(600)}x`,
  '\ud800',
])('no file of a system state is called %j, nor its computer', (path) => {
  expect(isWindowsPath(path)).toBe(false);
  expect(isManifest({ files: [...manifest.files, file(path)] })).toBe(false);
  if (!path.includes('x/x')) expect(isManifest({ computerName: path })).toBe(false);
});

test.each(['Backup 2026-11-20 020000/8c2f_Registry.xml', 'Ü/ß.vhdx', '.hidden', 'console', 'x'.repeat(255)])(
  'Windows takes %j',
  (path) => expect(isWindowsPath(path)).toBe(true),
);

test.each([
  [['a', 'A']],
  [['a', 'a']],
  [['a', 'a/b']],
  [['a/b', 'a']],
  [['Catalog/a', 'catalog/b']],
  [['Ä/x', 'ä/y']],
])('two files that are one for Windows are refused: %j', (paths) => {
  expect(findPathConflict(paths)).toBe(paths[1]);
  expect(isManifest({ files: paths.map(file) })).toBe(false);
  expect(findPathConflict(['a/b', 'a/c', 'b/b', 'ab'])).toBeUndefined();
});
