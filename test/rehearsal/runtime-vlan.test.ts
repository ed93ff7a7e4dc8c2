import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { buildDriverPack, packDirectory } from '#driver-packs/build-driver-pack.ts';
import { signPackFile } from '#driver-packs/sign-pack.ts';
import { formatPublicKey, generateKeyPair } from '#images/format/minisign.ts';
import { buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';
import { bootToTheEnd } from '#test/support/boot-to-the-end.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** In an emulated machine, because the kernel that runs the wire tests may have no VLANs: the runtime's own has. */
test('a tagged port: an address with the VLAN set, none without, and the sentence says to look there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runtime-vlan-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const cacheDirectory = '.rekindle/cache';
  const entry = 'test/support/vlan-probe.ts';
  const runtime = await buildRuntime({ cacheDirectory, fast: true, entry, workers: {} });
  const pack = await buildDriverPack({
    passport: { ...somePassport(), storageControllers: [] },
    station: 'TEST-1',
    kernel: runtime.kernel,
    output: join(folder, 'pack'),
  });
  const key = generateKeyPair();
  const signed = await signPackFile(
    { unsigned: pack.file.path, output: join(folder, 'signed'), directory: packDirectory },
    pack.manifest,
    key,
  );
  const base = await writeSiteRuntime({
    base: runtime.initrd.path,
    site: { caPem: 'none', imageSignerPublicKey: formatPublicKey(key) },
    output: join(folder, 'runtime'),
  });
  const initrd = join(folder, 'initrd');
  await writeFile(initrd, Buffer.concat([await readFile(base.path), await readFile(signed.path)]));

  const card = (number: number): string[] => [
    ...['-netdev', `hubport,id=net${number},hubid=0`],
    ...['-device', `virtio-net-pci,netdev=net${number},mac=52:54:00:00:08:0${number},addr=0x${number + 2}`],
  ];
  const said = await bootToTheEnd(['-machine', 'q35', ...card(1), ...card(2)], runtime.vmlinuz, initrd);
  expect(said).toContain('probe drivers loaded');
  const outcomes = [...said.matchAll(/probe network (.*)\r?\n/g)].map(([, json = '']) => JSON.parse(json));
  expect(outcomes, said).toHaveLength(2);
  expect(outcomes[0].outcome).toContain('no DHCP server answered within 10 s');
  expect(outcomes[1].outcome).toEqual({
    address: '10.77.20.50',
    prefixLength: 24,
    interfaceName: 'vlan20',
    mac: '52:54:00:00:08:01',
    by: 'dhcp',
    vlan: 20,
  });
});
