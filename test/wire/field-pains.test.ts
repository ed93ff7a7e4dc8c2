import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sameStartMs } from '#pxe-server/boot/second-try.ts';
import { bootFileOf, optionsOf, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';
import { type JsonLinesProcess, startJsonLines } from '#test/support/json-lines-process.ts';
import { type ServedSite, startServedSite } from '#test/support/served-site.ts';
import { somePassport } from '#test/support/some-passport.ts';
import type { PeerDatagram } from '#test/support/udp-peer.ts';

/** What users of other netboot services suffer from, on a served site; the table is in test/README.md. */

const station = 'OS-SRV-1A';
const [plantCard = '', terminalCard = ''] = somePassport().networkCards.map(({ mac }) => mac);
const runtimeBytes = 16 << 20;
const stations = 32;
let served: ServedSite<'station'>;
let peer: JsonLinesProcess<PeerDatagram>;
let xid = 0x5000;

beforeAll(async () => {
  served = await startServedSite({
    members: { station: { address: '10.77.0.20/24', mac: plantCard } },
    init: ['--mode', 'reservation'],
    runtimeBytes,
  });
  const passport = join(served.folder, 'passport.json');
  writeFileSync(passport, JSON.stringify(somePassport()));
  const added = await served.rekindle(
    'station',
    'add',
    station,
    '--passport',
    passport,
    '--address',
    '10.77.0.21',
  );
  expect(added).toMatchObject({ code: 0 });
  const script = new URL('../support/udp-peer.ts', import.meta.url);
  peer = startJsonLines(served.lan.members.station, script, { ports: [68, 4011], address: '10.77.0.20' });
  await peer.waitFor(({ from }) => from === 'ready');
});
afterAll(() => served?.[Symbol.asyncDispose]());

const curl = async (path: string, ...options: string[]) =>
  (await served.lan.members.station.run('curl', ['-sS', '-f', '-m', '10', ...options, path])).stdout;
const http = (path: string) => curl(`http://10.77.0.1:8080${path}`);
const tftp = (name: string) => curl(`tftp://10.77.0.1/${name}`);
/** Sends a request, and its answer. */
async function ask(type: number, { port = 67, mac = plantCard, options = uefiOptions } = {}) {
  xid += 1;
  const ciaddr = port === 4011 ? { ciaddr: '10.77.0.20' } : {};
  const hex = request({ type, xid, flags: 0x8000, mac, options, ...ciaddr }).toString('hex');
  const from = port === 67 ? 68 : port;
  peer.send({ port: from, to: port === 67 ? '255.255.255.255' : '10.77.0.1', toPort: port, hex });
  const mark = xid.toString(16).padStart(8, '0');
  const answer = await peer.waitFor(
    (datagram) => datagram.port === from && datagram.hex.slice(8, 16) === mark,
  );
  return Buffer.from(answer.hex, 'hex');
}

test('pain 6: port 4011 answers in reservation mode too, DISCOVER, REQUEST and INFORM, also firmware that sends no UUID', async () => {
  const withoutUuid = uefiOptions.filter(([code]) => code !== 97);
  for (const [type, reply] of [
    [1, 2],
    [3, 5],
    [8, 5],
  ] as const) {
    const answer = await ask(type, { port: 4011, options: withoutUuid });
    expect(optionsOf(answer).get(53)).toEqual([reply]);
    expect(optionsOf(answer).get(54)).toEqual([10, 77, 0, 1]);
    expect(bootFileOf(answer)).toBe('snponly.efi');
  }
  // One offer says everything: option 60 would send the firmware to port 4011 once more.
  expect(optionsOf(await ask(1)).has(60)).toBe(false);
});

test('pain 6: iPXE is known by its user class as text and as RFC 3004 writes it, and never loads itself again', async () => {
  for (const userClass of ['iPXE', '\x04iPXE']) {
    const offer = await ask(1, { options: [...uefiOptions, [77, userClass]] });
    expect(bootFileOf(offer)).toBe(`http://10.77.0.1:8080/boot/script.ipxe?mac=${plantCard}`);
  }
  expect(bootFileOf(await ask(1, { options: [...uefiOptions, [77, 'another']] }))).toBe('snponly.efi');
});

test('pain 7: the loader with the firmware’s own driver first; a station that needs iPXE’s drivers gets them at once', async () => {
  expect(bootFileOf(await ask(1))).toBe('snponly.efi');
  expect(await served.rekindle('station', 'set', station, '--loader', 'ipxe-native')).toMatchObject({
    code: 0,
  });
  expect(bootFileOf(await ask(1))).toBe('ipxe.efi');
});

/** A whole start of the machine that comes as far as fetching its loader by TFTP, from the network card of the station. */
async function startFrom(loader: string) {
  const offer = await ask(1);
  expect(bootFileOf(offer)).toBe(loader);
  expect(bootFileOf(await ask(3, { options: [...uefiOptions, [50, '10.77.0.21'], [54, '10.77.0.1']] }))).toBe(
    loader,
  );
  expect(await curl(`tftp://10.77.0.1/${loader}`, '-o', '/dev/null', '-w', '%{size_download}')).toMatch(
    /^\d{5,}$/,
  );
}
const ipxeSpeaks = () =>
  ask(3, { options: [...uefiOptions, [77, 'iPXE'], [50, '10.77.0.21'], [54, '10.77.0.1']] });
/** No machine is switched off and on and asks again sooner. */
const switchedOffAndOn = () => sleep(sameStartMs);
const show = async (...options: string[]) =>
  (await served.rekindle('station', 'show', station, ...options)).stdout;

test('pain 7: a start of which nothing was heard: the next one gets the other iPXE; what was heard stays, also over a restart of the service; what is set by hand is obeyed', async () => {
  await served.rekindle('station', 'set', station, '--loader', 'none');
  await startFrom('snponly.efi');
  // A copy of the request, or firmware that loads its file twice: still the same start.
  await startFrom('snponly.efi');
  await switchedOffAndOn();
  await startFrom('ipxe.efi');
  await ipxeSpeaks();
  // UEFI HTTP Boot is counted for itself, and asks for the size of a file before it fetches it.
  await curl('http://10.77.0.1:8080/boot/snponly.efi', '-o', '/dev/null');
  await curl('http://10.77.0.1:8080/boot/ipxe.efi', '--head');
  await served.restart();
  const shown = await show();
  expect(shown).toContain(`${plantCard} (uefi-x64) gets ipxe.efi: its last start`);
  // By how long the restart took, that start is over or not.
  expect(shown).toMatch(
    /\(uefi-http-x64\) gets (snponly\.efi: fetched a moment|ipxe\.efi: nothing was heard of the last start of snponly)/,
  );
  await startFrom('ipxe.efi');
  // This time nothing is heard: the first gets its turn again.
  await switchedOffAndOn();
  await startFrom('snponly.efi');
  const said = (await show('--boots')).match(/nothing was heard of the last start of [a-z.]+: .*/g);
  expect(said).toEqual([
    'nothing was heard of the last start of snponly.efi: offering ipxe.efi, which has its own drivers',
    "nothing was heard of the last start of ipxe.efi: offering snponly.efi, which works with the firmware's own driver",
  ]);
  await served.rekindle('station', 'set', station, '--loader', 'ipxe-native');
  await startFrom('ipxe.efi');
  await switchedOffAndOn();
  await startFrom('ipxe.efi');
  expect(await show()).toContain('loader      ipxe-native, set by hand');
});

test('pain 8: whichever of two cards the station boots from, every loader tells the runtime that one', async () => {
  for (const mac of [plantCard, terminalCard]) {
    const offer = await ask(1, { mac, options: [...uefiOptions, [77, 'iPXE']] });
    const url = bootFileOf(offer);
    expect(url).toContain(`mac=${mac}`);
    const texts = [
      await curl(`${url}&choice=recovery`),
      await tftp(`grub/${mac}.cfg`),
      await tftp(`pxelinux.cfg/01-${mac.replaceAll(':', '-')}`),
    ];
    for (const text of texts) expect(text.match(/rekindle\.mac=[\da-f:]+/)?.[0]).toBe(`rekindle.mac=${mac}`);
  }
});

test('pain 11: 32 stations that stop reading cost no memory and hold up nobody; each gets the whole file in the end', async () => {
  const memory = () =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${served.pid}/status`, 'utf8'))?.[1]) / 1024;
  const before = memory();
  const script = new URL('../support/slow-readers.ts', import.meta.url);
  const readers = startJsonLines<{ stopped?: number; sums?: string[] }>(served.lan.members.station, script, {
    url: 'http://10.77.0.1:8080/boot/runtime.img',
    count: stations,
  });
  await readers.waitFor(({ stopped }) => stopped === stations, 20);
  const startedAt = performance.now();
  expect(await http('/healthz')).toBe('ok\n');
  const waited = performance.now() - startedAt;
  const grown = memory() - before;
  process.stdout.write(
    `32 stopped readers: ${grown.toFixed(0)} MB more, another request ${waited.toFixed(0)} ms\n`,
  );
  // What they have not read yet is 512 MB.
  expect(grown).toBeLessThan(200);
  expect(waited).toBeLessThan(1000);
  readers.send('go on');
  const { sums } = await readers.waitFor((value) => value.sums !== undefined, 40);
  const expected = createHash('sha256').update(Buffer.alloc(runtimeBytes, 'runtime')).digest('hex');
  expect(sums).toEqual(Array.from({ length: stations }, () => expected));
});
