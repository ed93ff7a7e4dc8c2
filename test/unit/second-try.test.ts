import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { debianLoaders } from '#pxe-server/boot/loader-name.ts';
import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import { chooseIpxe, ipxeOfFile, sameStartMs } from '#pxe-server/boot/second-try.ts';
import { createLoaderWatch, type LoaderWatch } from '#pxe-server/serve/loader-watch.ts';
import type { State } from '#pxe-server/site/state.ts';
import { openEnrolment } from '#pxe-server/stations/enrolment-window.ts';
import { turnsOf } from '#pxe-server/stations/loader-turn.ts';
import { createRegistryDecider } from '#pxe-server/stations/registry-decider.ts';
import { getStation, setLoader, updatePassport } from '#pxe-server/stations/station-registry.ts';
import type { Outcome } from '#pxe-server/tftp/transfer.ts';
import { formatLoader } from '#scripts/station-lines.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { configurationOf, knownMac, newMac, registry, station } from '#test/support/some-registry.ts';

describe('which of the two iPXE', () => {
  const fetchedAt = Date.UTC(2026, 10, 28);
  const native = { loader: 'ipxe-native', fetchedAt } as const;
  const later = fetchedAt + 60_000;

  it('is the one with the firmware’s driver for a machine that never fetched any', () => {
    expect(chooseIpxe(undefined, later)).toEqual({ loader: 'ipxe', because: 'first' });
  });

  it('is the other one at the next start, when nothing was heard of the last', () => {
    expect(chooseIpxe({ loader: 'ipxe', fetchedAt }, later)).toEqual({
      loader: 'ipxe-native',
      because: 'other-not-heard',
    });
    expect(chooseIpxe(native, later)).toEqual({ loader: 'ipxe', because: 'other-not-heard' });
  });

  it('stays the same within one start: copies of a request, and firmware that loads its file twice', () => {
    expect(chooseIpxe(native, fetchedAt + sameStartMs - 1).loader).toBe('ipxe-native');
    expect(chooseIpxe(native, fetchedAt + sameStartMs).loader).toBe('ipxe');
  });

  it('stays the one that was heard, until a later start of it is not', () => {
    expect(chooseIpxe({ ...native, heardAt: fetchedAt }, later)).toEqual({
      loader: 'ipxe-native',
      because: 'heard',
    });
    expect(chooseIpxe({ ...native, heardAt: fetchedAt - 1 }, later).loader).toBe('ipxe');
  });

  it('does not get stuck when the clock was set back', () => {
    expect(chooseIpxe(native, fetchedAt - 86_400_000).loader).toBe('ipxe');
  });

  it('is told by the file, and no other loader is part of it', () => {
    const known = Object.keys(debianLoaders).flatMap((name) => {
      const [byTftp, byHttp] = [ipxeOfFile(name, 'tftp'), ipxeOfFile(name, 'http')];
      return byTftp === undefined && byHttp === undefined ? [] : [[name, byTftp, byHttp]];
    });
    expect(known).toEqual([
      ['undionly.kpxe', { firmware: 'bios', loader: 'ipxe' }, undefined],
      ['ipxe.pxe', { firmware: 'bios', loader: 'ipxe-native' }, undefined],
      [
        'snponly.efi',
        { firmware: 'uefi-x64', loader: 'ipxe' },
        { firmware: 'uefi-http-x64', loader: 'ipxe' },
      ],
      [
        'ipxe.efi',
        { firmware: 'uefi-x64', loader: 'ipxe-native' },
        { firmware: 'uefi-http-x64', loader: 'ipxe-native' },
      ],
    ]);
  });
});

describe('what a machine did decides its next start', () => {
  const passed = sameStartMs + 1;
  const failures: unknown[] = [];
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => vi.useRealTimers());

  function site(yaml = '') {
    const configuration = configurationOf(`interface: eth1\ndhcp: {mode: reservation}\n${yaml}`);
    const { state } = registry();
    const decider = createRegistryDecider(state, configuration);
    const watch = createLoaderWatch(state, decider, (error) => failures.push(error));
    const wait = (milliseconds: number) => {
      watch.flush();
      vi.setSystemTime(Date.now() + milliseconds);
    };
    const loads = (
      firmwareKind: 'bios' | 'uefi-x64' | 'uefi-http-x64' | 'ipxe-uefi' = 'uefi-x64',
      mac = knownMac,
    ) => {
      watch.flush();
      const target = decider.targetFor({ mac, firmwareKind });
      return target.kind === 'not-for-us' ? target.kind : target.loader;
    };
    return { state, decider, watch, wait, loads, configuration };
  }
  const fetch = (
    watch: LoaderWatch,
    fileName: string,
    outcome: Outcome = { kind: 'done' },
    mac: string = knownMac,
  ) =>
    watch.tftp({
      ...{ event: 'finished', client: `${mac}:2070`, fileName, outcome, bytes: 9, milliseconds: 5 },
    });
  const ipxeSpeaks = (
    watch: LoaderWatch,
    mac: MacAddress = knownMac,
    request: 'DISCOVER' | 'REQUEST' = 'REQUEST',
  ) =>
    watch.dhcp({
      ...{ event: 'ignored', mac, xid: 1, port: 67, request, firmwareKind: 'ipxe-uefi' },
      ...{ from: { address: '0.0.0.0' as never, port: 68 }, reasons: [] },
    });
  const rows = (state: State) => state.prepare('SELECT mac, firmware, loader FROM loader_tries').all();

  it('takes turns, keeps the one that was heard by DHCP or by its boot script, and starts again when it fails', () => {
    const { watch, wait, loads } = site();
    fetch(watch, '/snponly.efi');
    expect(loads()).toBe('ipxe');
    wait(passed);
    expect(loads()).toBe('ipxe-native');
    fetch(watch, 'ipxe.efi');
    ipxeSpeaks(watch);
    wait(passed);
    expect(loads()).toBe('ipxe-native');
    fetch(watch, 'ipxe.efi');
    watch.script(knownMac);
    wait(passed);
    expect(loads()).toBe('ipxe-native');
    fetch(watch, 'ipxe.efi');
    wait(passed);
    expect(loads()).toBe('ipxe');
  });

  it('does not count iPXE that asks and never answers an offer: its driver receives nothing', () => {
    const { watch, wait, loads } = site();
    fetch(watch, '/snponly.efi');
    ipxeSpeaks(watch, knownMac, 'DISCOVER');
    wait(passed);
    expect(loads()).toBe('ipxe-native');
  });

  it('says so once to the journal, and not to iPXE', () => {
    const { watch, wait, decider } = site();
    fetch(watch, 'undionly.kpxe');
    wait(passed);
    expect(decider.targetFor({ mac: knownMac, firmwareKind: 'bios' })).toEqual({
      ...{ kind: 'menu', loader: 'ipxe-native' },
      secondTry:
        'nothing was heard of the last start of undionly.kpxe: offering ipxe.pxe, which has its own drivers',
    });
    expect(decider.targetFor({ mac: knownMac, firmwareKind: 'ipxe-bios' })).toEqual({
      ...{ kind: 'menu', loader: 'ipxe' },
    });
    fetch(watch, 'ipxe.pxe');
    wait(passed);
    expect(decider.targetFor({ mac: knownMac, firmwareKind: 'bios' })).toMatchObject({
      secondTry:
        "nothing was heard of the last start of ipxe.pxe: offering undionly.kpxe, which works with the firmware's own driver",
    });
  });

  it('counts whole fetches only: no size probe, no broken or unfinished transfer, no other loader', () => {
    const { state, watch } = site();
    fetch(watch, 'snponly.efi', { kind: 'probed' });
    fetch(watch, 'snponly.efi', { kind: 'aborted', code: 0, message: '' });
    fetch(watch, 'snponly.efi', { kind: 'timed-out', acknowledged: 3 });
    for (const name of ['shimx64.efi', 'pxelinux.0', 'lpxelinux.0', 'grubx64.efi']) fetch(watch, name);
    watch.http(knownMac, 'shimx64.efi', Date.now());
    watch.flush();
    expect(rows(state)).toEqual([]);
    fetch(watch, 'snponly.efi', { kind: 'unconfirmed' });
    watch.flush();
    expect(rows(state)).toHaveLength(1);
  });

  it('takes iPXE that spoke before its fetch was known to be over for what it is', () => {
    const { watch, wait, loads } = site();
    ipxeSpeaks(watch);
    // All bytes were sent, and for 5 s no last acknowledgement came.
    watch.tftp({
      ...{ event: 'finished', client: `${knownMac}:2070`, fileName: 'snponly.efi', bytes: 9 },
      ...{ outcome: { kind: 'unconfirmed' }, milliseconds: 5000 },
    });
    wait(passed);
    expect(loads()).toBe('ipxe');
  });

  it('knows each firmware and each card of a machine for itself', () => {
    const { watch, wait, loads } = site();
    fetch(watch, 'snponly.efi');
    wait(passed);
    expect(loads('uefi-x64')).toBe('ipxe-native');
    expect(loads('uefi-http-x64')).toBe('ipxe');
    expect(loads('bios')).toBe('ipxe');
    expect(loads('uefi-x64', '52:54:00:00:00:02' as MacAddress)).toBe('ipxe');
    watch.http(knownMac, 'snponly.efi', Date.now());
    wait(passed);
    expect(loads('uefi-http-x64')).toBe('ipxe-native');
    // What is heard is the loader that was fetched last.
    ipxeSpeaks(watch);
    expect(loads('uefi-http-x64')).toBe('ipxe');
    expect(loads('uefi-x64')).toBe('ipxe-native');
  });

  it('is heard over whichever card of its station: iPXE with its own drivers tries them all', () => {
    const otherCard = '52:54:00:00:00:02' as MacAddress;
    const { watch, wait, loads } = site();
    fetch(watch, 'snponly.efi', { kind: 'done' }, otherCard);
    wait(passed);
    fetch(watch, 'ipxe.efi');
    ipxeSpeaks(watch, otherCard);
    wait(passed);
    expect(loads()).toBe('ipxe-native');
    // That card's own last start is none the better for it.
    expect(loads('uefi-x64', otherCard)).toBe('ipxe-native');
    fetch(watch, 'ipxe.efi');
    watch.script(otherCard);
    wait(passed);
    expect(loads()).toBe('ipxe-native');
    fetch(watch, 'ipxe.efi');
    watch.script(newMac);
    wait(passed);
    expect(loads()).toBe('ipxe');
    // Known to be over only after iPXE has spoken.
    watch.script(otherCard);
    watch.tftp({
      ...{ event: 'finished', client: `${knownMac}:2070`, fileName: 'snponly.efi', bytes: 9 },
      ...{ outcome: { kind: 'unconfirmed' }, milliseconds: 5000 },
    });
    wait(passed);
    expect(loads()).toBe('ipxe');
  });

  it('changes nothing that a person has set, and begins where it was once that is taken back', () => {
    const { state, watch, wait, loads } = site();
    fetch(watch, 'snponly.efi');
    wait(passed);
    for (const loader of ['ipxe', 'ipxe-native', 'signed-grub', 'pxelinux', 'lpxelinux'] as const) {
      setLoader(state, station, loader);
      expect(loads()).toBe(loader);
    }
    setLoader(state, station, undefined);
    expect(loads()).toBe('ipxe-native');
    const secured = {
      ...somePassport(),
      firmware: { ...somePassport().firmware, secureBoot: 'enabled' as const },
    };
    updatePassport(state, getStation(state, station).name, secured);
    expect(loads()).toBe('signed-grub');
    for (const loader of ['ipxe-native', 'signed-grub', 'pxelinux', 'lpxelinux'] as const) {
      const other = site(`boot: {loader: ${loader}}\n`);
      fetch(other.watch, 'ipxe.efi');
      other.wait(passed);
      expect(other.loads()).toBe(loader);
    }
  });

  it('gives machines to be enrolled their second try, and remembers nobody that is not served', () => {
    const { state, watch, wait, loads } = site();
    fetch(watch, 'snponly.efi', { kind: 'done' }, newMac);
    fetch(watch, 'snponly.efi', { kind: 'done' }, '10.77.0.66');
    watch.flush();
    expect(rows(state)).toEqual([]);
    openEnrolment(state, { milliseconds: 60_000, by: 'test' });
    fetch(watch, 'snponly.efi', { kind: 'done' }, newMac);
    wait(passed);
    expect(loads('uefi-x64', newMac)).toBe('ipxe-native');
  });

  it('keeps the last 256 machines that are no stations, and every station', () => {
    const { state, watch } = site();
    openEnrolment(state, { milliseconds: 60_000, by: 'test' });
    fetch(watch, 'snponly.efi');
    const macOf = (number: number) => `52:54:77:00:${(256 + number).toString(16).replace(/(..)$/, ':$1')}`;
    for (let number = 0; number < 300; number++)
      watch.tftp({
        ...{
          event: 'finished',
          client: `${macOf(number).replace(':1:', ':01:').replace(':2:', ':02:')}:2070`,
        },
        ...{ fileName: 'snponly.efi', outcome: { kind: 'done' }, bytes: 9, milliseconds: 1000 - number },
      });
    watch.flush();
    const kept = rows(state).map(({ mac }) => mac);
    expect(kept).toHaveLength(257);
    expect(kept).toContain(knownMac);
    expect(kept).toContain('52:54:77:00:02:2b');
    expect(kept).not.toContain('52:54:77:00:01:00');
  });

  it('is shown for each card, with the reason', () => {
    const { state, watch, wait, configuration } = site();
    const turns = () => {
      watch.flush();
      return turnsOf(state, getStation(state, station), configuration.boot.loader);
    };
    expect(turns()).toEqual([]);
    fetch(watch, 'snponly.efi');
    expect(turns()).toMatchObject([
      { mac: knownMac, file: 'snponly.efi', because: 'just-fetched', failed: null },
    ]);
    wait(passed);
    expect(turns()).toMatchObject([{ file: 'ipxe.efi', because: 'other-not-heard', failed: 'snponly.efi' }]);
    const lines = () =>
      formatLoader(getStation(state, station), configuration.boot.loader, turns()).map((line) => line.trim());
    expect(lines()).toEqual([
      expect.stringMatching(/^loader {6}ipxe, the firmware's network driver first; .* tries iPXE's own$/),
      expect.stringMatching(
        /^52:.* \(uefi-x64\) gets ipxe\.efi: nothing was heard of the last start of snponly\.efi, at /,
      ),
    ]);
    const known = getStation(state, station);
    expect(formatLoader(known, 'lpxelinux', [])).toEqual([
      '  loader      lpxelinux, as the site says (boot.loader)',
    ]);
    const { passport } = known;
    const secured = { ...passport, firmware: { ...passport.firmware, secureBoot: 'enabled' as const } };
    expect(formatLoader({ ...known, passport: secured }, 'ipxe', [])).toEqual([
      '  loader      signed-grub, because its passport says Secure Boot',
    ]);
    setLoader(state, station, 'ipxe');
    expect(lines()).toEqual(['loader      ipxe, set by hand']);
    expect(failures).toEqual([]);
  });
});
