import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWinpePack, checkWinpePack } from '#driver-packs/winpe/winpe-pack.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A boot.wim of two images as Windows' media have it, made by wimlib, and drivers of our own. */

let folder: string;
const inFolder = (name: string) => join(folder, name);
const wim = (...words: string[]) => execFileSync('wimlib-imagex', words, { encoding: 'utf8', stdio: 'pipe' });
const sha256 = (file: string) => execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64);

const inf = (id: string, files: string): string =>
  `[Version]\r\nSignature="$Windows NT$"\r\nClass=Net\r\nProvider="Example"\r\nCatalogFile=d.cat\r\nDriverVer=01/02/2024,1.0\r\n` +
  `[Manufacturer]\r\n"Example"=M,NTamd64\r\n[M.NTamd64]\r\n"Card"=I,${id}\r\n[SourceDisksFiles]\r\n${files}=1\r\n`;

function putDriver(name: string, id: string, utf16 = false): void {
  mkdirSync(inFolder(`drivers/${name}`), { recursive: true });
  const text = inf(id, 'd.sys');
  writeFileSync(
    inFolder(`drivers/${name}/d.inf`),
    utf16 ? Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]) : text,
  );
  writeFileSync(inFolder(`drivers/${name}/d.sys`), `driver ${name}`);
  writeFileSync(inFolder(`drivers/${name}/d.cat`), `catalogue ${name}`);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packs-winpe-'));
  mkdirSync(inFolder('pe/Windows/System32'), { recursive: true });
  writeFileSync(inFolder('pe/Windows/System32/startnet.cmd'), '@echo off\r\nwpeinit\r\n');
  mkdirSync(inFolder('setup'));
  writeFileSync(inFolder('setup/setup.exe'), 'setup');
  wim('capture', inFolder('pe'), inFolder('boot.wim'), 'Microsoft Windows PE (x64)', '--boot');
  wim('append', inFolder('setup'), inFolder('boot.wim'), 'Microsoft Windows Setup (x64)');
  putDriver('intel card', 'PCI\\VEN_8086&DEV_10D3', true);
  putDriver('virtio', 'PCI\\VEN_1AF4&DEV_1000');
  putDriver('not of this station', 'PCI\\VEN_DEAD&DEV_BEEF');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const build = (output: string, bootWim = inFolder('boot.wim')) =>
  buildWinpePack({
    station: 'TEST-1',
    passport: somePassport(),
    bootWim,
    driverFolder: inFolder('drivers'),
    output: inFolder(output),
  });

test('the drivers of the station, and no others, are in the image that boots, and are loaded', async () => {
  const before = sha256(inFolder('boot.wim'));
  const built = await build('out.wim');
  expect(built.missing).toEqual([]);
  expect(sha256(inFolder('boot.wim'))).toBe(before);

  const listed = wim('dir', inFolder('out.wim'), '1', '--path=/rekindle').trim().split('\n');
  expect(listed).toContain('/rekindle/drivers/intel card/d.sys');
  expect(listed).toContain('/rekindle/drivers/virtio/d.cat');
  expect(listed.join()).not.toContain('not of this station');
  expect(wim('extract', inFolder('out.wim'), '1', '/Windows/System32/startnet.cmd', '--to-stdout')).toBe(
    '@echo off\r\ncall %SystemRoot%\\System32\\rekindle-drivers.cmd\r\nwpeinit\r\n',
  );
  expect(
    wim('extract', inFolder('out.wim'), '1', '/Windows/System32/rekindle-drivers.cmd', '--to-stdout'),
  ).toContain('drvload "%%i"');
  expect(wim('dir', inFolder('out.wim'), '2').trim().split('\n')).toContain('/setup.exe');
  expect(await checkWinpePack(inFolder('out.wim'), somePassport())).toMatchObject({
    station: 'TEST-1',
    missing: [],
  });
});

test('the same drivers into the same image give the same bytes, an hour later and with other times', async () => {
  await build('first.wim');
  const later = new Date(Date.now() + 3_600_000);
  for (const name of readdirSync(inFolder('drivers'), { recursive: true, encoding: 'utf8' }))
    utimesSync(inFolder(join('drivers', name)), later, later);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await build('second.wim');
  expect(sha256(inFolder('second.wim'))).toBe(sha256(inFolder('first.wim')));
});

test('built again onto its own output: the same, once', async () => {
  await build('once.wim');
  await build('twice.wim', inFolder('once.wim'));
  expect(wim('dir', inFolder('twice.wim'), '1')).toBe(wim('dir', inFolder('once.wim'), '1'));
  const startnet = wim(
    'extract',
    inFolder('twice.wim'),
    '1',
    '/Windows/System32/startnet.cmd',
    '--to-stdout',
  );
  expect(startnet.match(/rekindle-drivers/g)).toHaveLength(1);
});

test('whatever was changed afterwards is found: a file, a missing one, startnet.cmd', async () => {
  await build('changed.wim');
  writeFileSync(inFolder('other.sys'), 'somebody else');
  writeFileSync(inFolder('startnet.cmd'), 'wpeinit\r\n');
  execFileSync('wimlib-imagex', ['update', inFolder('changed.wim'), '1'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    input: [
      `add ${inFolder('other.sys')} /rekindle/drivers/virtio/d.sys`,
      'delete "/rekindle/drivers/intel card/d.cat"',
      `add ${inFolder('startnet.cmd')} /Windows/System32/startnet.cmd`,
      '',
    ].join('\n'),
  });
  const { missing } = await checkWinpePack(inFolder('changed.wim'), somePassport());
  expect(missing).toEqual([
    'intel card/d.inf needs d.cat, which is not beside it',
    'intel card/d.cat is not in it any more',
    'virtio/d.sys is not what was put in',
    'startnet.cmd does not load the drivers',
  ]);
});

test('a card without a driver is named by id; AHCI is there anyway', async () => {
  await build('station.wim');
  const [card] = somePassport().networkCards;
  const other = {
    ...somePassport(),
    networkCards: [{ ...card, id: '10ec:8168', subsystem: '10ec:0123' }] as never,
    modaliases: [],
  };
  expect((await checkWinpePack(inFolder('station.wim'), other)).missing).toEqual([
    'Ethernet controller 10ec:8168 (0000:00:02.0) has no driver for WinPE',
  ]);
});

test.each([
  ['no Windows image', 'drivers/virtio/d.sys', 'it is no Windows image'],
  ['a boot.wim without drivers of ours', 'boot.wim', 'there are no drivers of Rekindle in it'],
])('%s is refused with what to do', async (_, file, words) => {
  readFileSync(inFolder(file));
  await expect(checkWinpePack(inFolder(file), somePassport())).rejects.toMatchObject({
    message: expect.stringContaining(words),
    next: expect.any(String),
  });
});
