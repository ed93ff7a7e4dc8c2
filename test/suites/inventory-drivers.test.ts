import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { PackManifest, PackModule } from '#driver-packs/pack-manifest.ts';
import { parseOutcomes } from '#runtime/drivers/insert-modules.ts';
import { formatPackLoad, loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';

let root: string;
const inserted: string[] = [];
const refusals: Readonly<Record<string, string>> = {
  'unsigned.ko': 'Key was rejected by service',
  'crct10dif_pclmul.ko': 'No such device',
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'drivers-'));
  inserted.length = 0;
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await put('proc/sys/kernel/osrelease', '6.1.0-56-amd64\n');
});

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function putPciFunction(slot: string, id: string, pciClass: string, modalias: string): Promise<void> {
  const directory = `sys/bus/pci/devices/${slot}`;
  await put(`${directory}/vendor`, `0x${id.slice(0, 4)}\n`);
  await put(`${directory}/device`, `0x${id.slice(5)}\n`);
  await put(`${directory}/class`, `0x${pciClass}\n`);
  await put(`${directory}/modalias`, `${modalias}\n`);
}

async function putModule(name: string, aliases: string[] = [], needs: string[] = []): Promise<PackModule> {
  const content = `module ${name}`;
  await put(`rekindle/pack/modules/${name}.ko`, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const file = { name, file: `modules/${name}.ko`, sha256, bytes: content.length };
  return { ...file, aliases, needs, origin: 'kernel', signature: 'kernel', firmware: [] };
}

async function putManifest(manifest: Partial<PackManifest>): Promise<void> {
  await put(
    'rekindle/pack/pack.json',
    JSON.stringify({
      formatVersion: 1,
      station: 'TEST-1',
      kernel: '6.1.0-56-amd64',
      load: 'all',
      modules: [],
      firmware: [],
      covers: [],
      ...manifest,
    }),
  );
}

const load = () =>
  loadDriverPack({
    root,
    quietMilliseconds: 50,
    insert: async (paths) => {
      const names = paths.map((path) => path.slice(path.lastIndexOf('/') + 1));
      inserted.push(...names);
      // The driver finds a device behind its own.
      if (names.includes('host.ko')) await put('sys/bus/scsi/devices/0:0:0:0/modalias', 'scsi:t-0x00\n');
      return names.map((name) => refusals[name]);
    },
  });

const network = ['0000:00:03.0', '8086:10d3', '020000', 'pci:v00008086d000010D3sv00sd00bc02sc00i00'] as const;

test('without a pack the console names every device by slot, id and class', async () => {
  await putPciFunction(...network);
  await putPciFunction('0000:00:1f.2', '8086:2922', '010601', 'pci:x');
  await putPciFunction('0000:00:1f.3', '8086:2930', '0c0500', 'pci:y');
  expect(formatPackLoad(await load())).toEqual([
    "There is no driver pack in this boot (/rekindle/pack/pack.json), so nothing drives this machine's network or disks.",
    'Devices that no driver binds (slot, PCI id, what it is):',
    '  0000:00:03.0  8086:10d3  Ethernet controller',
    '  0000:00:1f.2  8086:2922  SATA controller (AHCI)',
  ]);
});

test('a virtio function with a driver and an idle device behind it counts as not driven', async () => {
  await putPciFunction('0000:00:03.0', '1af4:1000', '020000', 'pci:x');
  await mkdir(join(root, 'sys/bus/pci/drivers/virtio-pci'), { recursive: true });
  await symlink('../../drivers/virtio-pci', join(root, 'sys/bus/pci/devices/0000:00:03.0/driver'));
  await mkdir(join(root, 'sys/bus/pci/devices/0000:00:03.0/virtio0'));
  expect((await load()).withoutDriver).toHaveLength(1);
});

test('a station pack is loaded in manifest order; what the kernel has is left, what it refuses is told', async () => {
  await putManifest({ modules: [await putModule('b'), await putModule('a'), await putModule('unsigned')] });
  await put('sys/module/a/initstate', 'live\n');
  const result = await load();
  expect(inserted).toEqual(['b.ko', 'unsigned.ko']);
  expect(result).toMatchObject({
    kind: 'loaded',
    modules: [
      { name: 'b', outcome: 'loaded' },
      { name: 'a', outcome: 'was-loaded' },
      { name: 'unsigned', outcome: 'refused', reason: 'Key was rejected by service' },
    ],
  });
  expect(formatPackLoad(result)).toEqual(['The kernel refused driver unsigned: Key was rejected by service']);
});

test('a variant for another processor is no refusal, and the console is silent about it', async () => {
  await putManifest({ modules: [await putModule('crct10dif_pclmul')] });
  const result = await load();
  expect(result).toMatchObject({ modules: [{ name: 'crct10dif_pclmul', outcome: 'no-device' }] });
  expect(formatPackLoad(result)).toEqual([]);
});

test('the universal pack loads what matches, with its needs, and what appears behind it', async () => {
  await putPciFunction(...network);
  await putManifest({
    station: null,
    load: 'matching',
    modules: [
      await putModule('core'),
      await putModule('sd_mod', ['scsi:t-0x00*']),
      await putModule('host', ['pci:v00008086d000010D3sv*'], ['core']),
      await putModule('other', ['pci:v00001234d*']),
    ],
  });
  await load();
  expect(inserted).toEqual(['core.ko', 'host.ko', 'sd_mod.ko']);
});

test('a pack for another kernel is not touched', async () => {
  await putManifest({ kernel: '6.1.0-99-amd64', modules: [await putModule('a')] });
  const result = await load();
  expect(result).toMatchObject({ kind: 'other-kernel', kernel: '6.1.0-56-amd64' });
  expect(formatPackLoad(result)[0]).toContain('is for kernel 6.1.0-99-amd64, but 6.1.0-56-amd64 is running');
  expect(inserted).toEqual([]);
});

test.each([
  ['a changed module', 'modules/a.ko', 'module b', 'is not what its hash says'],
  ['a short module', 'modules/a.ko', 'mod', 'has 3 bytes instead of 8'],
  ['a broken manifest', 'pack.json', '{"formatVersion":2}', 'is damaged'],
  ['a manifest that is no JSON', 'pack.json', 'x', 'is damaged'],
])('%s stops before anything is loaded', async (_what, file, content, sentence) => {
  await putManifest({ modules: [await putModule('first'), await putModule('a')] });
  await put(`rekindle/pack/${file}`, content);
  await expect(load()).rejects.toThrow(sentence);
  expect(inserted).toEqual([]);
});

test('a module path that leaves the pack is refused', async () => {
  const module = await putModule('a');
  await putManifest({ modules: [{ ...module, file: '../../proc/sys/kernel/osrelease' }] });
  await expect(load()).rejects.toThrow('lies outside of the pack');
});

test('a device without a driver, where the station has another model, is named with both ids', async () => {
  await putPciFunction(...network);
  await putPciFunction('0000:00:1f.2', '8086:2922', '010601', 'pci:x');
  const covers = [
    { slot: '0000:00:03.0', id: '1af4:1000', pciClass: '020000', module: 'virtio_net' },
    { slot: '0000:00:1f.2', id: '8086:2922', pciClass: '010601', module: 'ahci' },
  ];
  await putManifest({ covers });
  const result = await load();
  expect(result).toMatchObject({
    otherModels: [{ slot: '0000:00:03.0', id: '8086:10d3', expectedId: '1af4:1000' }],
  });
});

test("insmod's answers, one for each module file", () => {
  const output =
    "status 0\ninsmod: can't insert '/rekindle/pack/modules/crc32c-intel.ko': No such device\nstatus 1\nstatus 0\n";
  expect(parseOutcomes(output)).toEqual([undefined, 'No such device', undefined]);
});
