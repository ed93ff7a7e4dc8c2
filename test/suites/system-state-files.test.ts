import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { generateKeyPair } from '#images/format/minisign.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { readSystemStateFile } from '#images/stores/system-state-file.ts';
import { listSystemStates, readSystemState, resolveSystemState } from '#images/stores/system-state-files.ts';
import { startPlainWebServer } from '#test/support/every-store.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { someBackup, writeSystemState } from '#test/support/system-state-in-store.ts';

/** System states of a store, read as the runtime and the service read them. */

const key = generateKeyPair();
const utc = '20261120T020000Z';
const disk = 'Backup 2026-11-20 020000/b2b0.vhdx';

let store: ReturnType<typeof makeTemporaryFolder>;
beforeEach(() => {
  store = makeTemporaryFolder();
});
afterEach(() => store[Symbol.dispose]());

const folderStore = (): StoreRef => ({ kind: 'directory', path: store.path });
const write = (station = 'DC1', time = utc) =>
  writeSystemState(store.path, key, { station, utc: time, files: someBackup(time) });

async function read(
  ref: StoreRef,
  { name, manifest }: ReturnType<typeof write>,
  file = disk,
  signal?: AbortSignal,
): Promise<Buffer> {
  const listed = manifest.files.find((each) => each.path === file);
  if (listed === undefined) throw new Error(`no ${file}`);
  const parts: Buffer[] = [];
  for await (const part of readSystemStateFile(ref, name, manifest, listed, signal))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

test('lists what has a manifest, oldest first; latest is the newest', async () => {
  write('DC2', '20261101T020000Z');
  const newest = write('DC1', '20261121T020000Z');
  write('DC1', '20261120T020000Z');
  fs.mkdirSync(path.join(store.path, 'system-states/DC1/DC1_20261122T020000Z'));
  fs.cpSync(newest.folder, path.join(store.path, 'system-states/DC1/.publishing-x'), { recursive: true });
  const listed = (await listSystemStates(folderStore())).map(({ station, utc }) => `${station}@${utc}`);
  expect(listed).toEqual(['DC1@20261120T020000Z', 'DC1@20261121T020000Z', 'DC2@20261101T020000Z']);
  expect(await listSystemStates(folderStore(), newest.name.station)).toHaveLength(2);
  const latest = { station: newest.name.station, utc: 'latest' };
  expect(await resolveSystemState(folderStore(), latest)).toEqual(newest.name);
  await expect(
    resolveSystemState(folderStore(), { ...latest, utc: '20261101T020000Z' }),
  ).rejects.toMatchObject({
    code: 'not-found',
    next: 'The store has DC1@20261120T020000Z, DC1@20261121T020000Z.',
  });
  expect(await listSystemStates({ kind: 'directory', path: path.join(store.path, 'empty') })).toEqual([]);
});

describe('a manifest', () => {
  test('is believed with the signature of the site, in its own folder', async () => {
    const { name, manifest } = write();
    expect(await readSystemState(folderStore(), name, key)).toEqual(manifest);
    const server = await serveFolder(store.path, true);
    onTestFinished(() => server.close());
    const ref = { kind: 'http', url: server.url, token: 'job-token' } as const;
    expect(await readSystemState(ref, name, key)).toEqual(manifest);
    await expect(readSystemState({ ...ref, token: 'other' }, name, key)).rejects.toMatchObject({
      code: 'usage',
    });
    await expect(readSystemState(ref, { ...name, utc: '20200101T000000Z' }, key)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(readSystemState(folderStore(), name, generateKeyPair())).rejects.toThrow('another key');
  });

  test('that is a pipe keeps nobody waiting', async () => {
    const { name, folder } = write();
    fs.rmSync(path.join(folder, 'manifest.json'));
    execFileSync('mkfifo', [path.join(folder, 'manifest.json')]);
    await expect(readSystemState(folderStore(), name, key)).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { message: 'it is no plain file' },
    });
  }, 5000);

  test('with one byte changed is refused', async () => {
    const { name, folder } = write();
    const file = path.join(folder, 'manifest.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"bytes":6,', '"bytes":7,'));
    await expect(readSystemState(folderStore(), name, key)).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('the content is not what was signed'),
    });
  });

  test.each([
    ['of another time', 'DC1', '20261121T020000Z'],
    ['of another station', 'DC2', utc],
  ])('%s is refused', async (_, station, time) => {
    const { folder } = write();
    const moved = path.join(store.path, 'system-states', station, `${station}_${time}`);
    fs.cpSync(folder, moved, { recursive: true });
    const name = { station, utc: time } as ReturnType<typeof write>['name'];
    await expect(readSystemState(folderStore(), name, key)).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { message: `its manifest is signed, but it is the manifest of DC1@${utc}` },
    });
  });
});

describe.each(['a folder', 'a plain web server'])('files in %s', (kind) => {
  const open = async (): Promise<StoreRef> => {
    if (kind === 'a folder') return folderStore();
    const server = await startPlainWebServer(store.path);
    onTestFinished(() => server[Symbol.asyncDispose]());
    return { kind: 'http', url: server.url };
  };

  test('are handed out as they are', async () => {
    const state = write();
    const ref = await open();
    for (const [file, bytes] of Object.entries(someBackup(utc)))
      expect((await read(ref, state, file)).equals(bytes), file).toBe(true);
  });

  test.each<[string, (file: string) => void, RegExp]>([
    ['changed by one byte', (file) => flip(file), /hashes to/],
    ['longer', (file) => fs.appendFileSync(file, 'x'), /longer than 300000 bytes/],
    ['shorter', (file) => fs.truncateSync(file, 299_999), /has 299999 bytes/],
    ['missing', (file) => fs.rmSync(file), /b2b0\.vhdx/],
  ])('are refused when one is %s', async (_, damage, why) => {
    const state = write();
    damage(path.join(state.folder, 'WindowsImageBackup/DC1', disk));
    const refused = await read(await open(), state).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'verification-failed', message: expect.stringMatching(why) });
    // The others are right all the same.
    expect(await read(await open(), state, 'MediaId')).toHaveLength(6);
  });
});

test('what is no plain file is not read', async () => {
  const state = write();
  const file = path.join(state.folder, 'WindowsImageBackup/DC1', disk);
  fs.renameSync(file, path.join(store.path, 'elsewhere'));
  fs.symlinkSync(path.join(store.path, 'elsewhere'), file);
  await expect(read(folderStore(), state)).rejects.toMatchObject({ code: 'verification-failed' });
});

test('a store that is away is no damaged file', async () => {
  const state = write();
  fs.renameSync(store.path, `${store.path}-away`);
  onTestFinished(() => fs.renameSync(`${store.path}-away`, store.path));
  await expect(read(folderStore(), state)).rejects.toMatchObject({ code: 'store-unreachable' });
});

test('who stops is not read to', async () => {
  const state = write();
  await expect(read(folderStore(), state, disk, AbortSignal.abort())).rejects.toThrow('aborted');
});

function flip(file: string): void {
  const bytes = fs.readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
  fs.writeFileSync(file, bytes);
}
