import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { workerEntries } from '#base/worker-threads.ts';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { compressInitrd } from '#driver-packs/initrd-file.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import { buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { programFiles } from '#scripts/runtime/tool-files.ts';
import { MiB, makeBlankDisk, readAt, run } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/**
 * A system on LVM in an emulated machine, captured while programs write to it (test/support/online-probe.ts), with
 * Debian's kernel and tools. The images are judged on the host, by casync, e2fsck and debugfs.
 */

const programs = [
  ['/usr/sbin/lvm', 'lvm2'],
  ['/usr/sbin/dmsetup', 'dmsetup'],
  ['/usr/sbin/fsfreeze', 'util-linux'],
  ['/usr/sbin/blockdev', 'util-linux'],
  ['/usr/sbin/losetup', 'util-linux'],
  ['/usr/sbin/mke2fs', 'e2fsprogs'],
] as const;
const modules = ['loop', 'dm_mod', 'dm_snapshot', 'dm_zero', 'ext4', 'vfat', 'nls_ascii', 'nls_cp437'];
const partitions = { esp: 1 * MiB, group: 5 * MiB };
const virtioDisk = { id: '1af4:1001', subsystem: '1af4:0002', pciClass: '010000' };

let directory: string;
let disk: string;
let store: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'online-'));
  disk = makeBlankDisk(path.join(directory, 'station.raw'), 48 * MiB);
  run('sgdisk', '--new=1:2048:10239', '--typecode=1:ef00', '--new=2:10240:96255', '--typecode=2:8e00', disk);
  run(
    'mkfs.vfat',
    '--offset',
    `${partitions.esp / 512}`,
    disk,
    `${(partitions.group - partitions.esp) / 1024}`,
  );
  store = makeBlankDisk(path.join(directory, 'store.raw'), 256 * MiB);
  run('mkfs.ext4', '-q', '-F', store);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function boot(): Promise<EmulatedMachine> {
  const runtime = await buildRuntime({
    cacheDirectory: '.rekindle/cache',
    fast: true,
    entry: 'test/support/online-probe.ts',
    workers: workerEntries,
  });
  const passport: HardwarePassport = {
    ...somePassport(),
    networkCards: [],
    storageControllers: [{ slot: '0000:00:04.0', mode: 'other', ...virtioDisk }],
    modaliases: [],
  };
  const pack = await buildDriverPack({
    passport,
    station: 'TEST-1',
    kernel: runtime.kernel,
    also: modules,
    output: path.join(directory, 'pack'),
  });
  const tools = await compressInitrd(formatCpio(await programFiles(programs)), 3);
  const initrd = path.join(directory, 'initrd');
  await writeFile(
    initrd,
    Buffer.concat([await readFile(runtime.initrd.path), tools, await readFile(pack.file.path)]),
  );
  const virtio = (file: string, serial: string) => ({ kind: 'virtio', file, format: 'raw', serial }) as const;
  return await startMachine({
    name: 'online',
    hardware: {
      ...demoStationHardware({ disk }),
      nics: [],
      disks: [virtio(disk, 'STATION'), virtio(store, 'STORE')],
    },
    firmware: { kind: 'bios' },
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    directKernel: {
      kernel: runtime.vmlinuz,
      initrd,
      commandLine: 'console=ttyS0,115200 quiet no_timer_check',
    },
  });
}

interface Outcome {
  readonly seconds: number;
  readonly image?: string;
  readonly consistency?: string;
  readonly devices?: string;
  readonly reasons?: readonly string[];
  readonly left: Readonly<Record<string, unknown>>;
}

/** One of the images as casync reads it, with its two volumes cut out as LVM laid them. */
async function extract(mounted: string, utc: string) {
  const image = path.join(mounted, 'images/OS-SRV-1A', `OS-SRV-1A_${utc}`, 'OS-SRV-1A_disk0.caibx');
  const raw = path.join(directory, `${utc}.raw`);
  run('casync', 'extract', `--store=${path.join(mounted, 'chunks.castr')}`, image, raw);
  const extents = (first: number, count: number) =>
    readAt(raw, partitions.group + (1 + first) * MiB, count * MiB);
  const data = path.join(directory, `${utc}-data.raw`);
  const log = path.join(directory, `${utc}-log.raw`);
  await writeFile(data, Buffer.concat([extents(0, 10), extents(18, 4)]));
  await writeFile(log, extents(10, 6));
  return { raw, data, log };
}

/** Names in the description that LVM goes by: its area keeps older ones as well (lvm2, lib/format_text/layout.h). */
function volumesIn(raw: string): string[] {
  const area = readAt(raw, partitions.group + 4096, MiB - 4096);
  const text = area
    .subarray(Number(area.readBigUInt64LE(40)))
    .toString('latin1', 0, Number(area.readBigUInt64LE(48)));
  const volumes = text.slice(text.indexOf('logical_volumes {'));
  return [...volumes.matchAll(/^(\w+) \{\nid = /gm)].map(([, name]) => name ?? '').sort();
}

test('a disk in use is captured as it was at one moment, or not at all, and nothing stays behind', async () => {
  await using machine = await boot();
  const outcome = async (name: string): Promise<Outcome> => {
    const match = await machine.console.waitFor(new RegExp(`probe (${name}|broken) (.*)\\n`), {
      timeoutSeconds: 120,
    });
    timeline.push(`${match[1]} ${JSON.parse(match[2] ?? '{}').seconds}`);
    if (match[1] === 'broken') throw new Error(match[2]);
    return JSON.parse(match[2] ?? 'null');
  };
  const timeline: string[] = [];
  const clean = { devices: 'vg--a-data vg--a-data2 vg--a-log', loops: '0', esp: '1' };
  await outcome('built');

  const captured = await outcome('captured');
  expect(captured.consistency).toBe('snapshot-with-application-writers');
  expect(captured.devices).toBe(
    'rekindle-online-vda rekindle-real-vg--a-data rekindle-real-vg--a-log rekindle-snap-vg--a-data rekindle-snap-vg--a-log ' +
      'vg--a-data vg--a-data2 vg--a-log vg--a-rekindle_online_data vg--a-rekindle_online_log',
  );
  const order = ['pre-1', 'pre-2', 'post-1', 'post-2'];
  expect(captured.left).toEqual({ ...clean, images: '1', order });

  const failing = await outcome('failing-command');
  expect(failing.reasons?.[0]).toBe('running the pre-freeze command "exit 3": it ended with status 3');
  expect(failing.left).toEqual({ ...clean, images: '1', order: [...order, 'before', 'after'] });

  expect((await outcome('held')).left).toMatchObject({ devices: captured.devices, loops: '2', esp: '0' });
  const again = await outcome('after-a-kill');
  expect(again.consistency).toBe('crash');
  expect(again.left).toMatchObject({ ...clean, images: '2' });

  const overflow = await outcome('overflow');
  expect(overflow.reasons?.[0]).toContain(
    'more was written to vg-a/data meanwhile than its snapshot could hold',
  );
  expect(overflow.left).toMatchObject({ ...clean, images: '2' });

  const busy = await outcome('busy-partition');
  expect(busy.reasons?.[0]).toBe('making /mnt/esp read-only for the time of the capture');
  expect(busy.left).toMatchObject({ ...clean, images: '2' });

  await outcome('end');
  await machine.waitForEnd({ timeoutSeconds: 60 });
  process.stdout.write(`seconds in the machine: ${timeline.join(', ')}\n`);

  const mounted = path.join(directory, 'store');
  await mkdir(mounted);
  run('mount', '-o', 'loop,ro', store, mounted);
  onTestFinished(() => void run('umount', mounted));
  for (const { image = '' } of [captured, again]) {
    const { raw, data, log } = await extract(mounted, image);
    // Frozen while they were taken: not even a journal to play back.
    run('e2fsck', '-fn', data);
    run('e2fsck', '-fn', log);
    const first = run('debugfs', '-R', 'cat first', data).trim().split('\n');
    const second = Number(run('debugfs', '-R', 'cat second', log));
    expect(first).toHaveLength(2000);
    expect(new Set(first).size).toBe(1);
    expect([second, second + 1]).toContain(Number(first[0]));
    // A restored machine finds its volumes as they were, and nothing of a capture.
    expect(volumesIn(raw)).toEqual(['data', 'data2', 'log']);
  }
});
