import fs from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importVolumes, type VolumeFile } from '#images/convert/import-volumes.ts';
import { inspectVirtualDisk } from '#images/convert/inspect-virtual-disk.ts';
import { diskIndexName, formatImageRef } from '#images/format/image-name.ts';
import { imageFolder } from '#images/stores/image-folder.ts';
import { captureKey, captureStation, somePassportDisk } from '#test/support/capture-image-of.ts';
import { type StoredDisk, storeDisk } from '#test/support/image-in-store.ts';
import {
  demoDisk,
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  noise,
  readAt,
  run,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Files with one volume each, as Windows Server Backup writes them, on an earlier image of the station. */

let stored: StoredDisk;
beforeAll(async () => {
  stored = await storeDisk(makeDemoDisk);
});
afterAll(() => stored[Symbol.dispose]());

/** A small MBR disk with one partition at sector 128, as a VHDX. */
function backupOf(volume: string, name: string, partitionBytes = fs.statSync(volume).size): string {
  const disk = makeBlankDisk(stored.inFolder(`${name}.raw`), partitionBytes + 2 * MiB);
  run('sh', '-c', `echo "start=128, size=${partitionBytes / 512}, type=7" | sfdisk --quiet ${disk}`);
  writeAt(disk, fs.readFileSync(volume), 128 * 512);
  const vhdx = stored.inFolder(`${name}.vhdx`);
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'vhdx', disk, vhdx);
  fs.rmSync(disk);
  return vhdx;
}

let hour = 0;
async function importOnto(files: readonly (readonly [string, number])[]) {
  const volumes: VolumeFile[] = [];
  for (const [file, volume] of files)
    volumes.push({ source: await inspectVirtualDisk(file), disk: 0, volume });
  hour++;
  return importVolumes({
    base: stored.found.image,
    files: volumes,
    store: stored.store,
    station: captureStation,
    signingKey: captureKey,
    computerName: 'OS-SRV-1A',
    stationRole: 'server',
    consistency: 'snapshot-with-application-writers',
    passport: { ...somePassport(), disks: [somePassportDisk(demoDisk.sizeBytes)] },
    capturedAt: new Date(Date.now() + hour * 3_600_000),
  });
}

test('the volumes of the files, everything else as the base image has it', async () => {
  const ntfs = stored.inFolder('newer.ntfs');
  fs.copyFileSync(stored.inFolder('projects.img'), ntfs);
  // As a volume knows its place on the small disk of the backup.
  for (const at of [0, demoDisk.projects.sizeBytes - 512])
    writeAt(ntfs, Uint8Array.of(128, 0, 0, 0), at + 0x1c);
  const addition = stored.inFolder('addition');
  fs.writeFileSync(addition, noise('of today', 3 * MiB));
  run('ntfscp', '-f', ntfs, addition, 'today');
  const ext4 = stored.inFolder('newer.ext4');
  fs.copyFileSync(stored.inFolder('root.img'), ext4);
  run('debugfs', '-w', '-R', `write ${addition} today`, ext4);

  const image = await importOnto([
    [backupOf(ntfs, 'D'), 3],
    [ext4, 2],
  ]);
  expect(image.warnings[0]).toContain(
    `everything but 0:3, 0:2 is as it was in ${formatImageRef(stored.found.image)}`,
  );
  expect(image.manifest).toMatchObject({
    consistency: 'snapshot-with-application-writers',
    sequence: 2,
    tools: { base: formatImageRef(stored.found.image) },
  });
  expect(image.manifest.disks[0]?.partitionTable).toEqual(stored.found.disk.partitionTable);
  const disk = stored.inFolder('extracted.img');
  const index = `${imageFolder(stored.store, image.name)}/${diskIndexName(captureStation, 0)}`;
  run('casync', 'extract', `--store=${stored.store}/chunks.castr`, index, disk);
  const { root, projects } = demoDisk;
  for (const range of [
    { startByte: 0, sizeBytes: root.startByte },
    { startByte: projects.startByte + projects.sizeBytes, sizeBytes: MiB },
  ])
    expect(sha256OfRange(disk, range)).toBe(sha256OfRange(stored.expected, range));
  const found = stored.inFolder('found.ntfs');
  fs.writeFileSync(found, readAt(disk, projects.startByte, projects.sizeBytes));
  run('sh', '-c', `ntfscat -f ${found} today | cmp - ${addition}`);
  for (const at of [0, projects.sizeBytes - 512])
    expect(readAt(found, at + 0x1c, 4).readUInt32LE()).toBe(projects.startByte / 512);
  fs.writeFileSync(found, readAt(disk, root.startByte, root.sizeBytes));
  run('sh', '-c', `debugfs -R 'cat today' ${found} | cmp - ${addition}`);
  // Nothing was stored twice: most of the base image is the new one's too.
  expect(image.change.newBytes).toBeLessThan(20 * MiB);
});

test('an NTFS that is smaller than its place: its last sector is where it looks for it, zeros behind', async () => {
  const smaller = makeBlankDisk(stored.inFolder('smaller.ntfs'), demoDisk.projects.sizeBytes - 4 * MiB);
  run('mkntfs', '-q', '-F', '-Q', '-s', '512', '-p', '128', '-H', '16', '-S', '63', smaller);
  const image = await importOnto([[backupOf(smaller, 'small'), 3]]);
  expect(image.manifest.disks[0]?.volumes[2]).toMatchObject({
    fileSystem: 'ntfs',
    capturedAs: 'used-blocks',
  });
});

test('what does not fit its place, or does not say what it is, is refused', async () => {
  const larger = makeBlankDisk(stored.inFolder('larger.ntfs'), demoDisk.projects.sizeBytes + 4 * MiB);
  run('mkntfs', '-q', '-F', '-Q', '-s', '512', '-p', '128', '-H', '16', '-S', '63', larger);
  const file = backupOf(larger, 'large');
  const refusal = (files: readonly (readonly [string, number])[]) =>
    importOnto(files).catch((error) => error);
  expect(await refusal([[file, 3]])).toMatchObject({
    code: 'target-unfit',
    message: expect.stringMatching(/its NTFS needs \d+ bytes, its place on the disk has \d+/),
  });
  expect(await refusal([[stored.inFolder('root.img'), 3]])).toMatchObject({
    message: expect.stringContaining('only NTFS says how much of that it needs'),
  });
  expect(await refusal([[stored.inFolder('station.img'), 3]])).toMatchObject({
    message: expect.stringContaining('it holds 3 volumes'),
  });
  expect(await refusal([[file, 7]])).toMatchObject({
    code: 'not-found',
    next: expect.stringContaining('0:3 "PROJECTS"'),
  });
  const root = stored.inFolder('root.img');
  expect(
    await refusal([
      [root, 2],
      [root, 2],
    ]),
  ).toMatchObject({ code: 'usage' });
});
