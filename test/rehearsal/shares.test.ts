import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workerEntries } from '#base/worker-threads.ts';
import type { Share, SmbShare } from '#contract/share.ts';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import { createLabNetwork, type LabNetwork } from '#scripts/rehearsal/lab-network.ts';
import type { EmulatedDisk } from '#scripts/rehearsal/machine-hardware.ts';
import { buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { sharePart } from '#scripts/runtime/share-part.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import {
  MiB,
  makeBlankDisk,
  noise,
  run,
  sha256OfFile,
  toImageDisk,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import type { Order } from '#test/support/share-probe.ts';
import { nfsExport, smbUser, startGanesha, startSamba } from '#test/support/share-servers.ts';
import { somePassport } from '#test/support/some-passport.ts';

/**
 * The real runtime image mounts SMB 3.1.1 and NFS 4.2 shares of real servers, restores from each and captures into
 * each. One boot for all: test/support/share-probe.ts does what it is told over the console.
 */

const dataBytes = 16 * MiB;
let directory: string;
let network: LabNetwork;
let store: string;
let disk: { readonly file: string; readonly index: Buffer; readonly image: ImageDisk };
const targets: string[] = [];
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

const onBridge = (address: string) =>
  ['ip', ['-n', network.namespace, 'address', 'add', `${address}/24`, 'dev', network.interfaceName]] as const;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'shares-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  network = stack.use(await createLabNetwork());
  for (const address of ['10.77.0.2', '10.77.0.3']) run(onBridge(address)[0], ...onBridge(address)[1]);
  store = path.join(directory, 'store');
  await mkdir(store);
  const file = makeBlankDisk(path.join(directory, 'station.raw'), 24 * MiB);
  writeAt(file, noise('shares', dataBytes), 0);
  const captured = await captureDisk({
    path: file,
    store: await announcedStore(store),
    dataVolumes: [],
  });
  disk = { file, index: Buffer.from(formatDiskIndex(captured.index)), image: toImageDisk(captured) };
  await writeFile(path.join(store, 'station.caibx'), disk.index);
  await writeFile(path.join(store, 'disk.json'), JSON.stringify(disk.image));
});

const smb = (changes: Partial<SmbShare> = {}): SmbShare => ({
  kind: 'smb',
  server: 'fileserver',
  address: '10.77.0.1',
  share: 'images',
  folder: '',
  ...smbUser,
  seal: true,
  ...changes,
});
const nfs = (changed: string): Share => ({
  kind: 'nfs',
  server: 'fileserver',
  address: '10.77.0.1',
  path: changed,
});

/** What the machine will be asked to do, by name: the serial line is slow. */
const orders = {
  sealed: { do: 'mount', share: smb({ folder: 'chunks.castr' }) },
  plain: { do: 'mount', share: smb({ address: '10.77.0.3', seal: false }) },
  exported: { do: 'mount', share: nfs('/export1') },
  'wrong-password': { do: 'mount', share: smb({ password: 'wrong, secret' }) },
  'no-share': { do: 'mount', share: smb({ share: 'imagse' }) },
  'no-folder': { do: 'mount', share: smb({ folder: 'not/there' }) },
  forbidden: { do: 'mount', share: smb({ share: 'forbidden' }) },
  'smb-2': { do: 'mount', share: smb({ address: '10.77.0.2' }) },
  'no-seal': { do: 'mount', share: smb({ address: '10.77.0.3' }) },
  'smb-read-only': { do: 'capture', share: smb({ share: 'readonly' }), disk: 'LAB-0' },
  'not-for-us': { do: 'mount', share: nfs('/export3') },
  'no-export': { do: 'mount', share: nfs('/nowhere') },
  'no-server': { do: 'mount', share: { ...nfs('/export1'), address: '10.77.0.2' } },
  'nfs-read-only': { do: 'capture', share: nfs('/export1'), disk: 'LAB-0' },
  'restore-smb': { do: 'restore', share: smb(), disk: 'LAB-0', sayAt: 1 },
  'restore-nfs': { do: 'restore', share: nfs('/export1'), disk: 'LAB-1', sayAt: 1 },
  'capture-smb': { do: 'capture', share: smb(), disk: 'LAB-0' },
  'capture-nfs': { do: 'capture', share: nfs('/export2'), disk: 'LAB-0' },
  end: { do: 'end' },
} as const satisfies Record<string, Order>;
type OrderName = keyof typeof orders;

const refusals: readonly (readonly [OrderName, RegExp])[] = [
  ['wrong-password', /the server does not know the user recovery, or the password is wrong$/],
  ['no-share', /the server has no share "imagse"$/],
  ['no-folder', /the share has no folder "not\/there"$/],
  ['forbidden', /recovery may not use this share$/],
  ['smb-2', /the server does not speak SMB 3\.1\.1$/],
  ['no-seal', /the server cannot encrypt, and this site asks for it$/],
  ['smb-read-only', /nothing can be written there \(EACCES/],
  ['not-for-us', /the server exports no \/export3, or not to this station$/],
  ['no-export', /the server exports no \/nowhere, or not to this station$/],
  ['no-server', /does not answer at port 2049: connect ECONNREFUSED/],
  ['nfs-read-only', /nothing can be written there \(EROFS/],
];

async function boot(): Promise<EmulatedMachine> {
  const runtime = await buildRuntime({
    cacheDirectory: '.rekindle/cache',
    fast: true,
    entry: 'test/support/share-probe.ts',
    workers: workerEntries,
  });
  const passport: HardwarePassport = {
    ...somePassport(),
    networkCards: [
      { slot: '0000:00:03.0', id: '1af4:1000', subsystem: '1af4:0001', mac: '52:54:00:77:00:01' },
    ],
    modaliases: [],
  };
  const pack = await buildDriverPack({
    passport,
    station: 'TEST-1',
    kernel: runtime.kernel,
    output: path.join(directory, 'pack'),
  });
  const share = await sharePart(runtime.kernel, ['smb', 'nfs']);
  const site = await writeSiteRuntime({
    base: runtime.initrd.path,
    site: { caPem: JSON.stringify(orders), imageSignerPublicKey: '' },
    share,
    output: path.join(directory, 'runtime'),
  });
  const initrd = path.join(directory, 'initrd');
  await writeFile(initrd, Buffer.concat([await readFile(site.path), await readFile(pack.file.path)]));
  const target = async (number: number): Promise<EmulatedDisk> => {
    const file = path.join(directory, `target${number}.raw`);
    await writeFile(file, '');
    targets.push(file);
    await truncate(file, disk.image.sizeBytes);
    return {
      kind: 'sata',
      file,
      format: 'raw',
      model: 'REKINDLE LAB DISK',
      serial: `LAB-${number}`,
      wwn: 0x3000_0000_0077_0001n + BigInt(number),
    };
  };
  const hardware = {
    ...demoStationHardware({ disk: '', tap: await network.addTap() }),
    disks: [await target(0), await target(1)],
  };
  return await startMachine({
    name: 'shares',
    hardware,
    firmware: { kind: 'bios' },
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    namespace: network.namespace,
    directKernel: {
      kernel: runtime.vmlinuz,
      initrd,
      commandLine: 'console=ttyS0,115200 quiet no_timer_check probe=10.77.0.9/24',
    },
  });
}

type Answer =
  | { readonly seconds: number; readonly reasons: readonly string[]; readonly next?: string }
  | { readonly seconds: number; readonly value: Record<string, unknown> };

async function answer(machine: EmulatedMachine): Promise<Answer> {
  const match = await machine.console.waitFor(/probe (?:done|failed) (.*)\n/, { timeoutSeconds: 100 });
  return JSON.parse(match[1] ?? 'null');
}

const send = (machine: EmulatedMachine, name: OrderName): Promise<void> => machine.console.type(`${name}\n`);

async function done(machine: EmulatedMachine, name: OrderName): Promise<Record<string, unknown>> {
  await send(machine, name);
  const become = await answer(machine);
  if ('reasons' in become) throw new Error(`${name}: ${become.reasons.join(': ')}`);
  return become.value;
}

test('SMB 3.1.1 and NFS 4.2: refusals in words, restore from each, capture into each, a server that dies', async () => {
  const smbServer = {
    network,
    directory: path.join(directory, 'samba'),
    address: '10.77.0.1',
    shares: {
      images: [`path = ${store}`, 'read only = no'],
      readonly: [`path = ${store}`, 'read only = yes'],
      forbidden: [`path = ${store}`, 'valid users = nobody'],
    },
  };
  const samba = stack.use(await startSamba(smbServer));
  stack.use(
    await startSamba({
      network,
      directory: path.join(directory, 'samba-old'),
      address: '10.77.0.2',
      global: ['server max protocol = SMB2_10'],
      shares: { images: [`path = ${store}`] },
    }),
  );
  stack.use(
    await startSamba({
      network,
      directory: path.join(directory, 'samba-plain'),
      address: '10.77.0.3',
      global: ['server smb encrypt = off'],
      shares: { images: [`path = ${store}`] },
    }),
  );
  const exports = [
    nfsExport(1, store, 'Access_Type = RO;'),
    nfsExport(2, store, 'Access_Type = RW;'),
    nfsExport(3, store, 'Access_Type = NONE; CLIENT { Clients = 10.77.0.250; Access_Type = RW; }'),
  ];
  const nfsServer = { network, directory: path.join(directory, 'ganesha'), address: '10.77.0.1', exports };
  const ganesha = stack.use(await startGanesha(nfsServer));

  await using machine = await boot();
  await machine.console.waitFor(/probe ready (.*)\n/, { timeoutSeconds: 120 });

  for (const [name, words] of refusals) {
    await send(machine, name);
    const become = await answer(machine);
    if ('value' in become) throw new Error(`${name} was not refused`);
    expect(become.reasons.join(': '), name).toMatch(words);
    expect(become.next, name).toBeDefined();
    // A bounded wait is a part of the promise.
    expect(become.seconds, name).toBeLessThan(30);
  }

  const sealed = await done(machine, 'sealed');
  expect(sealed['mount']).toMatch(/ cifs ro,nosuid,nodev,noexec.*vers=3\.1\.1.*,seal,soft/);
  expect(sealed['betrayedBy']).toEqual([]);
  expect((await done(machine, 'plain'))['mount']).not.toMatch(/seal/);
  expect((await done(machine, 'exported'))['mount']).toMatch(
    / nfs4 ro,nosuid,nodev,noexec.*vers=4\.2.*softerr/,
  );

  // The server dies in the middle and stays away: words in a bounded time, and a second restore goes on from there.
  await send(machine, 'restore-smb');
  await machine.console.waitFor(/probe reached .*\n/, { timeoutSeconds: 60 });
  await samba.kill();
  const died = await answer(machine);
  if ('value' in died) throw new Error('the restore ended before its server died');
  expect(died.reasons[0]).toBe('using the image store //fileserver/images: the server stopped answering');
  expect(died.seconds).toBeLessThan(60);
  stack.use(await startSamba(smbServer));
  const resumed = await done(machine, 'restore-smb');
  expect(resumed['fetched']).toBeLessThan(dataBytes);
  expect(sha256OfFile(targets[0] ?? '')).toBe(sha256OfFile(disk.file));

  // One that is back within the patience of the mount: nobody notices.
  await send(machine, 'restore-nfs');
  await machine.console.waitFor(/probe reached .*\n/, { timeoutSeconds: 60 });
  await ganesha.kill();
  stack.use(await startGanesha(nfsServer));
  expect(await answer(machine)).toMatchObject({ value: { fetched: dataBytes } });
  expect(sha256OfFile(targets[1] ?? '')).toBe(sha256OfFile(disk.file));

  for (const name of ['capture-smb', 'capture-nfs'] as const) {
    await rm(path.join(store, 'chunks.castr'), { recursive: true });
    await done(machine, name);
    expect(await readFile(path.join(store, 'captured.caibx'))).toEqual(disk.index);
    const extracted = path.join(directory, `${name}.raw`);
    const chunks = `--store=${path.join(store, 'chunks.castr')}`;
    run('casync', 'extract', chunks, path.join(store, 'captured.caibx'), extracted);
    expect(sha256OfFile(extracted)).toBe(sha256OfFile(disk.file));
  }
  expect(await done(machine, 'end')).toEqual({ mounts: [] });
});
