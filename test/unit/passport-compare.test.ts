import { describe, expect, test } from 'vitest';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { isPlaceholderSerial, isPlaceholderUuid } from '#images/passport/identity-facts.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** `severity field` of every difference after a change. */
function differencesAfter(change: (found: HardwarePassport) => void): string[] {
  const found = somePassport();
  change(found);
  return comparePassports(somePassport(), found).map(({ severity, field }) => `${severity} ${field}`);
}

function sentenceAfter(change: (found: HardwarePassport) => void): string {
  const found = somePassport();
  change(found);
  return comparePassports(somePassport(), found)
    .map(({ sentence }) => sentence)
    .join('\n');
}

const [first, second] = somePassport().networkCards as [
  HardwarePassport['networkCards'][0],
  HardwarePassport['networkCards'][0],
];
const [disk] = somePassport().disks as [HardwarePassport['disks'][0]];
const [controller] = somePassport().storageControllers as [HardwarePassport['storageControllers'][0]];

test('the same machine has no differences, whenever the passport was taken', () => {
  expect(differencesAfter((found) => Object.assign(found, { takenAt: '2027-01-01T00:00:00Z' }))).toEqual([]);
});

describe('single fields', () => {
  test.each<[string, (found: HardwarePassport) => void]>([
    ['fatal system vendor', (f) => Object.assign(f.system, { vendor: 'Other' })],
    ['fatal system product', (f) => Object.assign(f.system, { product: 'Other' })],
    ['fatal board vendor', (f) => Object.assign(f.board, { vendor: 'Other' })],
    ['fatal board product', (f) => Object.assign(f.board, { product: 'Other' })],
    ['fatal firmware kind', (f) => Object.assign(f.firmware, { kind: 'bios' })],
    ['note Secure Boot', (f) => Object.assign(f.firmware, { secureBoot: 'enabled' })],
    ['note firmware version', (f) => Object.assign(f.firmware, { version: '2.11' })],
    ['note system version', (f) => Object.assign(f.system, { version: '2' })],
    ['note board version', (f) => Object.assign(f.board, { version: 'B0' })],
    ['note processor', (f) => Object.assign(f.cpu, { model: 'Other' })],
    ['note processor threads', (f) => Object.assign(f.cpu, { threads: 8 })],
    ['note memory', (f) => Object.assign(f, { memoryBytes: 4 * 1024 ** 3 })],
    ['fatal rehearsal stand-in', (f) => Object.assign(f, { standIn: true })],
  ])('%s', (expected, change) => {
    expect(differencesAfter(change)).toEqual([expected]);
  });
});

describe('which unit it is', () => {
  test('one fact that differs among many is a part replaced', () => {
    expect(differencesAfter((f) => Object.assign(f.board, { serial: 'B70-9999' }))).toEqual([
      'replaced-part board serial',
    ]);
    expect(differencesAfter((f) => Object.assign(f.system, { uuid: '0'.repeat(32) }))).toEqual([
      'replaced-part system UUID',
    ]);
  });

  test('an upper-case UUID is the same one', () => {
    expect(differencesAfter((f) => Object.assign(f.system, { uuid: f.system.uuid.toUpperCase() }))).toEqual(
      [],
    );
  });

  test('the sister machine of the same model is another unit', () => {
    expect(
      differencesAfter((f) => {
        Object.assign(f.system, { uuid: '3f0c9f0e-51f4-4c5a-9d5a-0d6f6c1b2a02', serial: 'PP7-0002' });
        Object.assign(f.board, { serial: 'B70-0043' });
        f.networkCards = f.networkCards.map((card) => ({ ...card, mac: card.mac.replace('52:54', '52:55') }));
      }),
    ).toEqual([
      'fatal system UUID',
      'fatal system serial',
      'fatal board serial',
      'replaced-part network card 0000:00:02.0',
      'replaced-part network card 0000:00:03.0',
    ]);
  });

  test('with placeholders everywhere and other cards, nothing says that it is the station', () => {
    const blank = (): HardwarePassport => {
      const passport = somePassport();
      Object.assign(passport.system, {
        uuid: '03000200-0400-0500-0006-000700080009',
        serial: 'Default string',
      });
      Object.assign(passport.board, { serial: 'To be filled by O.E.M.' });
      return passport;
    };
    expect(comparePassports(blank(), blank())).toEqual([]);
    const other = blank();
    other.networkCards = other.networkCards.map((card) => ({
      ...card,
      mac: card.mac.replace('52:54', '52:55'),
    }));
    expect(comparePassports(blank(), other).map(({ severity, field }) => `${severity} ${field}`)).toContain(
      'fatal identity',
    );
  });

  test.each([
    '',
    '0',
    'None',
    'Default string',
    'To be filled by O.E.M.',
    'System Serial Number',
    '0123456789',
  ])('serial "%s" is a placeholder', (serial) => expect(isPlaceholderSerial(serial)).toBe(true));
  test('a real serial is none', () => expect(isPlaceholderSerial('S4B0-01230')).toBe(false));
  test.each([
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '',
    'Not Settable',
  ])('UUID "%s" is a placeholder', (uuid) => expect(isPlaceholderUuid(uuid)).toBe(true));
});

describe('network cards', () => {
  test.each<[string[], (found: HardwarePassport) => void]>([
    [
      ['replaced-part network card 0000:00:02.0'],
      (f) => Object.assign(f, { networkCards: [{ ...first, mac: '52:54:00:00:00:99' }, second] }),
    ],
    [
      ['fatal network card 0000:00:02.0'],
      (f) => Object.assign(f, { networkCards: [{ ...first, id: '8086:1533' }, second] }),
    ],
    [['fatal network card 0000:00:03.0'], (f) => Object.assign(f, { networkCards: [first] })],
    [
      ['fatal network card 0000:00:03.0'],
      (f) => Object.assign(f, { networkCards: [first, { ...second, slot: '0000:00:05.0' }] }),
    ],
    [
      ['fatal network card 0000:00:09.0'],
      (f) =>
        Object.assign(f, {
          networkCards: [first, second, { ...second, slot: '0000:00:09.0', mac: '52:54:00:00:00:09' }],
        }),
    ],
  ])('%s', (expected, change) => {
    expect(differencesAfter(change)).toEqual(expected);
  });

  test('two cards of one model that changed slots are named, each with the slot it belongs in', () => {
    const alike = () => {
      const passport = somePassport();
      passport.networkCards = [first, { ...first, slot: '0000:00:03.0', mac: second.mac }];
      return passport;
    };
    const swapped = alike();
    swapped.networkCards = [
      { ...first, mac: second.mac },
      { ...first, slot: '0000:00:03.0' },
    ];
    const differences = comparePassports(alike(), swapped);
    expect(differences.map(({ severity }) => severity)).toEqual(['fatal', 'fatal']);
    expect(differences[0]?.sentence).toContain('belongs in slot 0000:00:03.0');
  });
});

describe('storage', () => {
  test('RAID instead of AHCI says what to change in firmware set-up', () => {
    const change = (f: HardwarePassport) =>
      Object.assign(f, {
        storageControllers: [{ ...controller, id: '8086:2822', pciClass: '010400', mode: 'raid' }],
      });
    expect(differencesAfter(change)).toEqual(['fatal storage controller 0000:00:1f.2']);
    expect(sentenceAfter(change)).toContain('set SATA mode to AHCI in firmware set-up');
  });

  test('another controller is fatal, one more is a note', () => {
    expect(
      differencesAfter((f) => Object.assign(f, { storageControllers: [{ ...controller, id: '1b4b:9172' }] })),
    ).toEqual(['fatal storage controller 0000:00:1f.2']);
    expect(
      differencesAfter((f) =>
        Object.assign(f, { storageControllers: [controller, { ...controller, slot: '0000:04:00.0' }] }),
      ),
    ).toEqual(['note storage controller 0000:04:00.0']);
  });

  const blank = { ...disk, serial: 'SSD-9999', wwn: 'naa.5000000000009999' };
  test.each<[string, HardwarePassport['disks']]>([
    ['replaced-part disk 0000:00:1f.2/ata1', [blank]],
    ['replaced-part disk 0000:00:1f.2/ata1', [{ ...blank, sizeBytes: 1_000_000_000 }]],
    ['fatal disk 0000:00:1f.2/ata1', [{ ...blank, logicalSectorBytes: 4096 }]],
    ['fatal disk 0000:00:1f.2/ata1', []],
    ['note disk 0000:00:1f.2/ata1', [{ ...disk, slot: '0000:00:1f.2/ata2' }]],
    ['note disk 0000:00:1f.2/ata2', [disk, { ...blank, slot: '0000:00:1f.2/ata2' }]],
  ])('%s', (expected, disks) => {
    expect(differencesAfter((f) => Object.assign(f, { disks }))).toEqual([expected]);
  });

  test('a disk on another controller does not replace, and a stick is neither missed nor counted', () => {
    expect(
      differencesAfter((f) => Object.assign(f, { disks: [{ ...blank, slot: '0000:00:14.0/ns1' }] })),
    ).toEqual(['fatal disk 0000:00:1f.2/ata1', 'note disk 0000:00:14.0/ns1']);
    const stick = { ...blank, slot: '0000:00:1f.2/ata1', removable: true };
    expect(differencesAfter((f) => Object.assign(f, { disks: [disk, stick] }))).toEqual([]);
    expect(differencesAfter((f) => Object.assign(f, { disks: [stick] }))).toEqual([
      'fatal disk 0000:00:1f.2/ata1',
    ]);
  });
});
