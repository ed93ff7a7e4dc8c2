import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorChain, RekindleError } from '#base/errors.ts';
import { captureDisk } from '#images/capture/capture-disk.ts';
import type { DiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { byRule } from '#runtime/restore/restore-scope.ts';
import { checkIdentity } from '#runtime/steps/check-identity.ts';
import { chooseTargetDisks } from '#runtime/steps/choose-disks.ts';
import { refuseLostData } from '#runtime/steps/decide-lost-data.ts';
import { planRestoreOfDisks } from '#runtime/steps/plan-restore.ts';
import { attachLoop, mountDevice } from '#test/support/loop-device.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfFile,
  sha256OfRange,
  toImageDisk,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/**
 * Sector sizes x sizes x states of the target, each the whole way of a restore from the choice of the disk on, on
 * loop devices. Either everything fits and the disk is restored, or not one byte of it is written.
 */

const sectors = {
  '512n': { logical: 512, physical: 512 },
  '512e': { logical: 512, physical: 4096 },
  '4Kn': { logical: 4096, physical: 4096 },
} as const;
type Geometry = keyof typeof sectors;
const geometries = Object.keys(sectors) as Geometry[];

const imageBytes = 16 * MiB;
const root = { startByte: 1 * MiB, sizeBytes: 9 * MiB };
/** The last partition ends at 10 MiB, and the backup GPT has to fit behind it. */
const sizes = {
  larger: 20 * MiB,
  equal: imageBytes,
  'smaller, fits': 11 * MiB,
  'too small': 10 * MiB,
} as const;
type Size = keyof typeof sizes;
const states = ['free', 'wrong serial', 'read-only', 'set read-only', 'mounted', 'holds the store'] as const;
type State = (typeof states)[number];

const [someDisk] = somePassport().disks as [PassportDisk];
const passportDisk = (geometry: Geometry, changes: Partial<PassportDisk> = {}): PassportDisk => ({
  ...someDisk,
  sizeBytes: imageBytes,
  logicalSectorBytes: sectors[geometry].logical,
  physicalSectorBytes: sectors[geometry].physical,
  ...changes,
});

interface Image {
  readonly disk: ImageDisk;
  readonly index: DiskIndex;
  readonly rootSha256: string;
}
let folder: ReturnType<typeof makeTemporaryFolder>;
let store: string;
const images = new Map<Geometry, Image>();

beforeAll(async () => {
  folder = makeTemporaryFolder();
  store = path.join(folder.path, 'store');
  fs.mkdirSync(store);
  for (const geometry of geometries) images.set(geometry, await makeImage(geometry));
});
afterAll(() => folder[Symbol.dispose]());

async function makeImage(geometry: Geometry): Promise<Image> {
  const { logical, physical } = sectors[geometry];
  const file = makeBlankDisk(path.join(folder.path, `${geometry}.img`), imageBytes);
  using station = attachLoop(file, { sectorBytes: logical });
  const last = (root.startByte + root.sizeBytes) / logical - 1;
  run('sgdisk', '--set-alignment=1', `--new=1:${root.startByte / logical}:${last}`, station.path);
  writeAt(file, noise('root', 3 * MiB), root.startByte);
  await using announcement = await announceCapture(store);
  const captured = await captureDisk({ path: station.path, store: announcement.store });
  const { slot, model, serial, wwn } = someDisk;
  const disk = { ...toImageDisk(captured), slot, model, serial, wwn, physicalSectorBytes: physical };
  return { disk, index: captured.index, rootSha256: sha256OfRange(file, root) };
}

/** From the choice of the disk to the last read-back, as the workflow does it. */
async function restore(
  image: Image,
  expected: PassportDisk,
  found: PassportDisk,
  target: string,
  source: string,
) {
  const reporter = { say: () => {}, progress: () => {} };
  const passport: HardwarePassport = { ...somePassport(), disks: [expected] };
  const machine: HardwarePassport = { ...passport, disks: [found] };
  const outcome = checkIdentity(passport, passport, machine);
  if (outcome.kind === 'refused') {
    const reasons = outcome.differences.map(({ sentence }) => sentence).join(' ');
    throw new RekindleError('hardware-not-identical', reasons);
  }
  const { value: disks } = await chooseTargetDisks.run(
    {
      identity: outcome.identity,
      imageDisks: [image.disk],
      present: [{ passportDisk: found, devicePath: target }],
    },
    reporter,
  );
  const { value: planned } = await planRestoreOfDisks.run(
    {
      image: {
        manifest: { disks: [image.disk] } as never,
        indexes: [image.index],
        diskIndexSha256: [''],
        source: { kind: 'directory', path: source },
      },
      disks,
      scope: byRule,
      decideLostData: refuseLostData(''),
    },
    reporter,
  );
  for (const { plan } of planned)
    await restoreDisk({ plan, path: target, source: { kind: 'directory', path: store }, workers: 1 });
}

/** Why this combination has to be refused; undefined when it fits. */
function whyUnfit(image: Geometry, target: Geometry, size: Size, state: State): RegExp | undefined {
  if (state === 'wrong serial') return /is missing, and its place .* is empty/;
  if (sectors[image].logical !== sectors[target].logical) return /sectors of \d+ bytes/;
  if (state === 'read-only' || state === 'set read-only') return /it is write-protected/;
  if (state === 'mounted') return /is mounted at /;
  if (state === 'holds the store') return /the image store \(.*\) lies on it/;
  return size === 'too small' ? /too small by \d+ bytes/ : undefined;
}

const cells = geometries
  .flatMap((image) =>
    geometries.flatMap((target) =>
      (Object.keys(sizes) as Size[]).flatMap((size) =>
        states.map((state) => ({ image, target, size, state })),
      ),
    ),
  )
  // Two more ways of being read-only and mounted: once for each geometry is enough.
  .filter(
    ({ image, target, size, state }) =>
      !['set read-only', 'holds the store'].includes(state) || (image === target && size === 'equal'),
  );

describe.each(geometries)('an image of a %s disk', (geometry) => {
  const own = cells.filter(({ image }) => image === geometry);
  test.each(own)('onto $target, $size, $state', async ({ target, size, state }) => {
    const image = images.get(geometry) as Image;
    const sectorBytes = sectors[target].logical;
    const file = makeBlankDisk(path.join(folder.path, 'target.img'), sizes[size]);
    const mountPoint = path.join(folder.path, 'mounted');
    fs.mkdirSync(mountPoint, { recursive: true });
    writeAt(file, noise('somebody else', 2 * MiB), 4 * MiB);
    const isMounted = state === 'mounted' || state === 'holds the store';
    using made = new DisposableStack();
    if (isMounted) run('mkfs.ext4', '-q', '-F', '-b', '4096', file);
    const device = made.use(attachLoop(file, { sectorBytes, readOnly: state === 'read-only' })).path;
    if (state === 'set read-only') {
      run('blockdev', '--setro', device);
      // The flag would stay on the loop device for whoever attaches it next.
      made.defer(() => void run('blockdev', '--setrw', device));
    }
    if (isMounted) made.use(mountDevice(device, mountPoint, '-o', 'ro,noload'));

    const expected = passportDisk(geometry);
    const elsewhere = { serial: 'ANOTHER', wwn: 'naa.5000000000000099', slot: '0000:00:1f.2/ata5' };
    const found = passportDisk(target, {
      sizeBytes: sizes[size],
      ...(state === 'wrong serial' ? elsewhere : {}),
    });
    const source = state === 'holds the store' ? mountPoint : store;
    const before = sha256OfFile(file);
    const error = await restore(image, expected, found, device, source).then(
      () => undefined,
      (caught: unknown) => caught,
    );

    const unfit = whyUnfit(geometry, target, size, state);
    if (unfit === undefined) {
      expect(error).toBeUndefined();
      expect(sha256OfRange(file, root)).toBe(image.rootSha256);
      expect(run('sgdisk', '--verify', device)).toContain('No problems found');
      return;
    }
    expect(error).toBeInstanceOf(RekindleError);
    expect(errorChain(error).join(' ')).toMatch(unfit);
    expect((error as RekindleError).code).toMatch(/^(target-unfit|hardware-not-identical)$/);
    expect(sha256OfFile(file)).toBe(before);
  });
});
