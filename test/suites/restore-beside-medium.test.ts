import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CapturedDisk, captureDisk } from '#images/capture/capture-disk.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { lockDisks } from '#runtime/block/write-lock.ts';
import { findOwnDiskMedium } from '#runtime/medium/own-disk-medium.ts';
import { warnOfRecoveries } from '#runtime/restore/overwritten-recoveries.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { byRule, type RestoreScope } from '#runtime/restore/restore-scope.ts';
import { checkIdentity } from '#runtime/steps/check-identity.ts';
import { chooseTargetDisks } from '#runtime/steps/choose-disks.ts';
import { refuseLostData } from '#runtime/steps/decide-lost-data.ts';
import { planRestoreOfDisks } from '#runtime/steps/plan-restore.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';
import { attachPartitionedLoop, mountDevice } from '#test/support/loop-device.ts';
import {
  MiB,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfRange,
  toImageDisk,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** The recovery was started from a partition of the very disk that it restores, and its image lies there too. */

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
const sizeBytes = 64 * MiB;
/** ext4 stands for FAT: what matters is that it is mounted. */
const recovery = { startByte: MiB, sizeBytes: 24 * MiB };
const system = { startByte: 25 * MiB, sizeBytes: 16 * MiB };
const projects = { startByte: 41 * MiB, sizeBytes: 16 * MiB };
const table = { startByte: 0, sizeBytes: MiB };
const passportDisk = somePassportDisk(sizeBytes);
const passport = { ...somePassport(), disks: [passportDisk] };
const reporter = { say: () => {}, progress: () => {} };
let captured: CapturedDisk;
let disk: string;

beforeAll(async () => {
  fs.mkdirSync(at('store'));
  fs.writeFileSync(at('healthy.img'), '');
  fs.truncateSync(at('healthy.img'), sizeBytes);
  const partitions = ['--new=1:2048:+24M', '--new=2:0:+16M', '--new=3:0:+16M', '--change-name=3:PROJECTS'];
  run('sgdisk', ...partitions, at('healthy.img'));
  using loop = attachPartitionedLoop(at('healthy.img'));
  for (const number of [1, 2, 3]) run('mkfs.ext4', '-q', `${loop.path}p${number}`);
  {
    using _mounted = mountDevice(`${loop.path}p2`, mountPoint());
    fs.writeFileSync(path.join(mountPoint(), 'system'), noise('system', 2 * MiB));
  }
  await using announcement = await announceCapture(at('store'));
  captured = await captureDisk({
    path: loop.path,
    store: announcement.store,
    dataVolumes: ['PROJECTS'],
  });
});
afterAll(() => folder[Symbol.dispose]());

/** The station afterwards: a recovery was put in, PROJECTS went on, the system broke. */
beforeEach(() => {
  disk = at('station.img');
  fs.copyFileSync(at('healthy.img'), disk);
  {
    using loop = attachPartitionedLoop(disk);
    using _mounted = mountDevice(`${loop.path}p1`, mountPoint());
    fs.cpSync(at('store'), path.join(mountPoint(), 'store'), { recursive: true });
  }
  writeAt(disk, noise('newer', MiB), projects.startByte + 4 * MiB);
  writeAt(disk, noise('broken', 3 * MiB), system.startByte);
});

function mountPoint(): string {
  fs.mkdirSync(at('mnt'), { recursive: true });
  return at('mnt');
}

async function plan(
  device: string,
  { onOwnDisk = true, scope = byRule }: { readonly onOwnDisk?: boolean; readonly scope?: RestoreScope } = {},
) {
  const imageDisk = { ...toImageDisk(captured), ...passportDisk, number: 0 };
  const identity = checkIdentity(passport, passport, passport);
  if (identity.kind === 'refused') throw new RangeError('it is the same machine');
  const present = [{ passportDisk, devicePath: device }];
  const { value: disks } = await chooseTargetDisks.run(
    { identity: identity.identity, imageDisks: [imageDisk], present },
    reporter,
  );
  const startedFrom = await findOwnDiskMedium(onOwnDisk ? { onOwnDisk } : {}, { device: `${device}p1` });
  const { value: planned } = await planRestoreOfDisks.run(
    {
      image: {
        manifest: { disks: [imageDisk] } as never,
        indexes: [captured.index],
        diskIndexSha256: [''],
        source: { kind: 'directory', path: path.join(mountPoint(), 'store') },
      },
      disks,
      scope,
      decideLostData: refuseLostData(''),
      startedFrom,
    },
    reporter,
  );
  return planned;
}

test('the system is restored from there; that partition, PROJECTS and the table stay, and are locked', async () => {
  const [before, keptProjects, keptTable] = [recovery, projects, table].map((range) =>
    sha256OfRange(disk, range),
  );
  {
    using loop = attachPartitionedLoop(disk);
    using _mounted = mountDevice(`${loop.path}p1`, mountPoint(), '-o', 'ro,noload');
    const [planned] = await plan(loop.path);
    if (planned === undefined) throw new RangeError('one disk is planned');
    expect(planned.plan.warnings.join(' ')).toMatch(/partition 1 stay as they are/);
    const name = path.basename(loop.path);
    const targets = [{ path: loop.path, kept: planned.plan.kept }];
    await using lock = await lockDisks({ disks: [loop.path], targets });
    expect(lock.locked).toEqual([`${name}p1`, `${name}p3`]);
    for (const kept of lock.locked) expect(run('blockdev', '--getro', `/dev/${kept}`).trim()).toBe('1');
    const source = { kind: 'directory' as const, path: path.join(mountPoint(), 'store') };
    const result = await restoreDisk({ plan: planned.plan, path: loop.path, source, workers: 1 });
    expect(result.bytes.verified).toBe(system.sizeBytes);
  }
  expect(sha256OfRange(disk, system)).toBe(sha256OfRange(at('healthy.img'), system));
  expect(sha256OfRange(disk, recovery)).toBe(before);
  expect(sha256OfRange(disk, projects)).toBe(keptProjects);
  expect(sha256OfRange(disk, table)).toBe(keptTable);
});

const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => expect.unreachable(),
    (thrown: Error & { next?: string }) => thrown,
  );
  expect(error).toMatchObject({ code: 'target-unfit' });
  return `${error.cause instanceof Error ? error.cause.message : ''} Next: ${error.next}`;
};

test('refused: any other medium, the whole disk, that partition itself, another partition in use', async () => {
  using loop = attachPartitionedLoop(disk);
  const mounted = mountDevice(`${loop.path}p1`, mountPoint(), '-o', 'ro,noload');
  using made = new DisposableStack();
  made.use(mounted);
  expect(await refusal(plan(loop.path, { onOwnDisk: false }))).toMatch(/the image store .* lies on it/);
  expect(await refusal(plan(loop.path, { scope: { kind: 'all' } }))).toMatch(
    /whole disk would be overwritten.*from the network or from a USB medium/,
  );
  const itself: RestoreScope = { kind: 'volumes', volumes: [{ disk: 0, number: 1 }] };
  expect(await refusal(plan(loop.path, { scope: itself }))).toMatch(
    /Volume 1 would overwrite that partition/,
  );
  fs.mkdirSync(at('other'), { recursive: true });
  made.use(mountDevice(`${loop.path}p3`, at('other'), '-o', 'ro,noload'));
  expect(await refusal(plan(loop.path))).toMatch(/p3 is mounted at/);
});

test('refused, with another way: the table is not the one of the image any more', async () => {
  run('sgdisk', '--delete=2', '--new=2:51200:+15M', disk);
  using loop = attachPartitionedLoop(disk);
  using _mounted = mountDevice(`${loop.path}p1`, mountPoint(), '-o', 'ro,noload');
  expect(await refusal(plan(loop.path))).toMatch(
    /Partition 2 has the size.*Start the recovery from the network/,
  );
});

test('a recovery on the disk that the whole restore overwrites is named, with the way to put it back', async () => {
  const ticket = JSON.stringify({
    ...{ formatVersion: 1, station: 'OS-SRV-1A', passport, builtAt: '2026-11-27T09:30:00Z' },
    ...{ kernel: '6.1.0-1-amd64', fileSystemUuid: '1A2B-3C4D', onOwnDisk: true, files: [] },
  });
  fs.writeFileSync(at('ticket.json'), ticket);
  fs.mkdirSync(path.join(mountPoint(), 'store'), { recursive: true });
  const fat = `${disk}@@${recovery.startByte}`;
  const sectors = String(recovery.sizeBytes / 512);
  const warningsOf = async (scope?: RestoreScope) => {
    using loop = attachPartitionedLoop(disk);
    const planned = await plan(loop.path, { onOwnDisk: false, ...(scope === undefined ? {} : { scope }) });
    return planned.flatMap(({ plan: { warnings } }) => warnings).join(' ');
  };
  run('mformat', '-i', fat, '-T', sectors, '-h', '64', '-s', '32', '::');
  expect(await warningsOf({ kind: 'all' })).not.toMatch(/recovery/);
  run('mmd', '-i', fat, '::/rekindle');
  run('mcopy', '-i', fat, at('ticket.json'), '::/rekindle/ticket.json');
  expect(await warningsOf({ kind: 'all' })).toContain(
    'WARNING: the recovery of OS-SRV-1A that is installed in partition 1 will be overwritten. Afterwards put it back, its disk attached to the server: rekindle media install OS-SRV-1A --disk DISK --partition 1',
  );
  const systemOnly = { kind: 'volumes', volumes: [{ disk: 0, number: 2 }] } as const;
  expect(await warningsOf(systemOnly)).not.toMatch(/recovery/);
});

test('a partition whose first sector cannot be read has no recovery to warn of, and stops no restore', async () => {
  const beyond = { startByte: sizeBytes + MiB, sizeBytes: MiB };
  expect(await warnOfRecoveries(disk, [{ number: 1, ...beyond } as never], [beyond])).toEqual([]);
});
