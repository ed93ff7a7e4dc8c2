import { describe, expect, test } from 'vitest';
import { parseInf } from '#driver-packs/winpe/inf-file.ts';
import { decodeInf, parseInfSections } from '#driver-packs/winpe/inf-text.ts';
import { matchDrivers, rankOf, type WindowsDriver } from '#driver-packs/winpe/match-inf.ts';
import { withCall } from '#driver-packs/winpe/winpe-pack.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** An INF of our own, with what INF files of vendors do: decorated sections, strings, comments, continued lines. */
const networkInf = (changed: { device?: string; date?: string; version?: string } = {}): string =>
  [
    '; A comment; and "another',
    '[Version]',
    'Signature   = "$Windows NT$"',
    'Class       = Net',
    'ClassGUID   = {4d36e972-e325-11ce-bfc1-08002be10318}',
    'Provider    = %Maker%',
    'CatalogFile = card.cat',
    `DriverVer   = ${changed.date ?? '03/14/2024'},${changed.version ?? '1.2.3.4'}`,
    '',
    '[Manufacturer]',
    '%Maker% = Cards, NTx86, NTamd64.10.0, \\',
    '          NTamd64.10.0...22000',
    '[Cards.NTx86]',
    '%Card% = Card.Install, PCI\\VEN_DEAD&DEV_BEEF',
    '[CARDS.NTamd64.10.0]',
    `%Card% = Card.Install, PCI\\VEN_8086&DEV_${changed.device ?? '10D3'}  ; the card`,
    '[Cards.NTamd64.10.0...22000]',
    '%CardS% = Card.Install, PCI\\VEN_8086&DEV_10D3&SUBSYS_00018086&REV_02, PCI\\VEN_8086&DEV_10D4',
    '[SourceDisksFiles]',
    'card.sys = 1',
    '[Strings]',
    'Maker = "Example Works; Inc."',
    'Card  = "100% ""fast"" card, plain"',
    'CardS = "Card S"',
    '',
  ].join('\r\n');

const parsed = (text: string) => {
  const inf = parseInf(Buffer.from(text, 'latin1'));
  if (inf === undefined) throw new Error('no INF');
  return inf;
};

describe('INF text', () => {
  const bom = Buffer.from([0xff, 0xfe]);
  const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
  test.each([
    ['UTF-16 with a mark', (text: string) => Buffer.concat([bom, Buffer.from(text, 'utf16le')])],
    ['UTF-16 without one', (text: string) => Buffer.from(text, 'utf16le')],
    ['UTF-16, big end first', (text: string) => Buffer.concat([Buffer.from([0xfe, 0xff]), utf16be(text)])],
    ['UTF-8 with a mark', (text: string) => Buffer.from(`\u{feff}${text}`, 'utf8')],
    ['ANSI', (text: string) => Buffer.from(text, 'latin1')],
  ])('%s', (_, encode) => {
    expect(decodeInf(encode(networkInf()))).toBe(networkInf());
    expect(parseInf(encode(networkInf()))?.provider).toBe('Example Works; Inc.');
  });

  test('comments, quotes, continued lines, sections in pieces and in any case', () => {
    const sections = parseInfSections(
      '[A]\nx = "1;2", %s% ; gone\ny\n[b]\nz=1,\\\n 2\n[a]\nlast = %none%, 50%%\n[Strings]\nS = "say ""so"""\n',
    );
    expect(sections.get('a')).toEqual([
      { key: 'x', values: ['1;2', 'say "so"'] },
      { key: undefined, values: ['y'] },
      { key: 'last', values: ['%none%', '50%'] },
    ]);
    expect(sections.get('b')).toEqual([{ key: 'z', values: ['1', '2'] }]);
  });
});

describe('INF file', () => {
  test('class, maker, version, catalogue, files, and models for x64 only', () => {
    expect(parsed(networkInf())).toEqual({
      driverClass: 'Net',
      provider: 'Example Works; Inc.',
      date: '2024-03-14',
      version: '1.2.3.4',
      catalog: 'card.cat',
      files: ['card.sys'],
      models: [
        { description: '100% "fast" card, plain', ids: ['PCI\\VEN_8086&DEV_10D3'] },
        {
          description: 'Card S',
          ids: ['PCI\\VEN_8086&DEV_10D3&SUBSYS_00018086&REV_02', 'PCI\\VEN_8086&DEV_10D4'],
        },
      ],
    });
  });
  test.each(['', '[Version]\nClass=Net\n', 'autorun\n', '[Version]\nSignature="$Elsewhere$"\n'])(
    'what is no INF of Windows: %j',
    (text) => {
      expect(parseInf(Buffer.from(text))).toBeUndefined();
    },
  );
});

describe('matching by PCI ids', () => {
  const card = { id: '8086:10d3', subsystem: '8086:0001', pciClass: '020000' };
  const models = (...ids: string[]) => ({ ...parsed(networkInf()), models: [{ description: '', ids }] });
  test.each([
    ['PCI\\VEN_8086&DEV_10D3', 5],
    ['PCI\\VEN_8086&DEV_10D3&SUBSYS_00018086', 13],
    ['PCI\\VEN_8086&DEV_10D3&SUBSYS_00018086&REV_01', 13],
    ['PCI\\VEN_8086&DEV_10D3&SUBSYS_00028086', 0],
    ['PCI\\VEN_8086&DEV_10D4', 0],
    ['PCI\\VEN_8086&CC_0200', 2],
    ['PCI\\CC_020000', 2],
    ['PCI\\CC_0106', 0],
    ['USB\\VID_8086&PID_10D3', 0],
    ['ROOT\\CARD', 0],
  ])('%s', (id, rank) => {
    expect(rankOf(models(id), card)).toBe(rank);
  });

  const driver = (path: string, changed: Parameters<typeof networkInf>[0]): WindowsDriver => ({
    path,
    inf: parsed(networkInf(changed)),
  });
  test('the newest of those that name the card; AHCI is in Windows PE; a card that nothing names is red', () => {
    const rows = matchDrivers(somePassport(), [
      driver('old/card.inf', { date: '01/02/2020' }),
      driver('new/card.inf', {}),
      driver('newer/card.inf', { version: '1.2.10.0' }),
      driver('other/card.inf', { device: '1533' }),
    ]);
    expect(rows.map(({ id, driver: found }) => [id, typeof found === 'object' ? found.path : found])).toEqual(
      [
        ['8086:2922', 'in-box'],
        ['8086:10d3', 'newer/card.inf'],
        ['1af4:1000', undefined],
      ],
    );
  });
});

test('startnet.cmd loads the drivers first, once, whatever was in it', () => {
  const call = 'call %SystemRoot%\\System32\\rekindle-drivers.cmd';
  expect(withCall(undefined)).toBe(`${call}\r\nwpeinit\r\n`);
  const own = '@echo off\r\nwpeinit\r\nstart cmd\r\n';
  expect(withCall(own)).toBe(`@echo off\r\n${call}\r\nwpeinit\r\nstart cmd\r\n`);
  expect(withCall(withCall(own))).toBe(withCall(own));
});
