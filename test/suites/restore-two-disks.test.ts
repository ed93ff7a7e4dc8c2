import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf } from '#base/errors.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import { type LocalRestoreInput, restoreLocally } from '#runtime/local-restore.ts';
import { believeImage, type SignedImage } from '#runtime/steps/open-job.ts';
import {
  captureImageOf,
  captureKey,
  captureStation,
  somePassportDisk,
} from '#test/support/capture-image-of.ts';
import { fileMachine } from '#test/support/file-machine.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import { makeNoisyDisk, type RealDisk, realDisks } from '#test/support/real-partition-tables.ts';
import { makeTemporaryFolder, noise, sha256OfFile } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { createPipedPort } from '#test/support/terminal-screen.ts';

/** A station with a GPT disk and an MBR disk, restored in one run on loop devices. */

const real = (begin: string): RealDisk => {
  const found = realDisks.find(({ name }) => name.startsWith(begin));
  if (found === undefined) throw new Error(begin);
  return found;
};
const kinds = [real('GPT, slots'), real('MBR with logical')] as const;
const passportDisks = kinds.map(({ sizeBytes }, at) =>
  somePassportDisk(sizeBytes, { serial: `SSD-000${at}`, slot: `0000:00:1f.2/ata${at + 1}` }),
);
const passport: HardwarePassport = { ...somePassport(), disks: passportDisks };

let folder: ReturnType<typeof makeTemporaryFolder>;
let originals: string[];
let image: SignedImage;
const inFolder = (name: string): string => path.join(folder.path, name);

beforeAll(async () => {
  folder = makeTemporaryFolder();
  const store = inFolder('store');
  fs.mkdirSync(store);
  originals = kinds.map((kind, at) => {
    const disk = makeNoisyDisk(inFolder(`disk-${at}.img`), kind);
    kind.partition(disk);
    return disk;
  });
  const sources = originals.flatMap((file, at) => {
    const passportDisk = passportDisks[at];
    return passportDisk === undefined ? [] : [{ path: file, passportDisk }];
  });
  const { name } = await captureImageOf(store, sources, { passport });
  image = await believeImage({
    ref: formatImageRef(name),
    ...(await readManifest(store, name, captureKey)),
    key: captureKey,
    readListed: (manifest, file) => readListedFile(store, name, manifest, file),
    source: { kind: 'directory', path: store },
  });
});
afterAll(() => folder[Symbol.dispose]());

/** The disks that are in the machine, found in the other order. */
async function restore(contents: readonly Buffer[], options: Partial<LocalRestoreInput> = {}) {
  using stack = new DisposableStack();
  const files = contents.map((content, at) => {
    const file = inFolder(`target-${at}.img`);
    fs.writeFileSync(file, content);
    return file;
  });
  const before = files.map(sha256OfFile);
  const disks = files.map((file, at) => ({
    devicePath: stack.use(attachLoop(file)).path,
    passportDisk: {
      ...(passportDisks[at] as (typeof passportDisks)[number]),
      sizeBytes: contents[at]?.length ?? 0,
    },
  }));
  const port = createPipedPort();
  const result = restoreLocally({
    machine: fileMachine({
      site: { ca: '', imageSigner: '' },
      passport: { ...passport, disks: disks.map(({ passportDisk }) => passportDisk) },
      disks: disks.toReversed(),
    }),
    terminal: createTerminal([port]),
    readImage: async () => image,
    dryRun: false,
    technician: 'meier',
    signal: new AbortController().signal,
    ...options,
  });
  const asked = port.waitFor(`Type ${captureStation} to start the restore: `).then(
    () => port.type(`${captureStation}\r`),
    () => {},
  );
  const { ending } = await result;
  void asked;
  return { ending, files, before };
}
const olderUse = (moreBytes = 0): Buffer[] =>
  kinds.map(({ sizeBytes }, at) => noise(`older use of ${at}`, sizeBytes + at * moreBytes));

test('both disks, each found by what it is and not by its place in a list', async () => {
  const { ending, files } = await restore(olderUse());
  expect(ending).toMatchObject({ kind: 'restored' });
  expect(files.map(sha256OfFile)).toEqual(originals.map(sha256OfFile));
});

test('the second disk is too small: the first is not written either', async () => {
  const { ending, files, before } = await restore(olderUse(-512));
  expect(ending.kind === 'failed' ? exitCodeOf(ending.error) : ending.kind).toBe(13);
  expect(files.map(sha256OfFile)).toEqual(before);
});

test('one volume of the second disk: every other byte of both stays', async () => {
  const [first, second] = originals.map((file) => fs.readFileSync(file)) as [Buffer, Buffer];
  const [primary, logical] = image.manifest.disks[1]?.volumes ?? [];
  if (primary === undefined || logical === undefined) throw new Error('no volumes');
  first.fill('newer', 5 << 20, 6 << 20);
  for (const { startByte } of [primary, logical]) second.fill('newer', startByte + 4096, startByte + 500_000);
  const { ending, files } = await restore([first, second], { volumes: `1:${primary.number}` });
  expect(ending).toMatchObject({ kind: 'restored' });
  const expected = Buffer.from(second);
  fs.readFileSync(originals[1] ?? '').copy(
    expected,
    primary.startByte,
    primary.startByte,
    primary.startByte + primary.sizeBytes,
  );
  expect(files.map((file) => fs.readFileSync(file).compare(file === files[0] ? first : expected))).toEqual([
    0, 0,
  ]);
});
