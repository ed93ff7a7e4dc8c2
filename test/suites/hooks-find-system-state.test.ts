import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errorChain } from '#base/errors.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { findSystemState } from '#pxe-server/hooks/find-system-state.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { writeSystemState } from '#test/support/system-state-in-store.ts';

/** The preflight's look into a real store folder. */
const key = generateKeyPair();
const station = stationNameSchema.parse('DC1');
let store: ReturnType<typeof makeTemporaryFolder>;
beforeEach(() => {
  store = makeTemporaryFolder();
});
afterEach(() => store[Symbol.dispose]());

const find = (version: string, signer = key) =>
  findSystemState({ source: { kind: 'directory', path: store.path }, key: signer }, station, version);
const put = (utc: string, owner = 'DC1') => writeSystemState(store.path, key, { station: owner, utc });
const failure = async (looking: Promise<unknown>) => {
  const error = await looking.then(
    () => new Error('it was found'),
    (thrown: unknown) => thrown,
  );
  return { said: errorChain(error).join(': '), ...(error as { code?: string; next?: string }) };
};

test('the newest, or the one that the plan names; nothing of another station', async () => {
  put('20261119T020000Z');
  put('20261120T020000Z');
  put('20261120T020030Z');
  put('20261121T020000Z', 'DC2');
  expect(await find('latest')).toMatchObject({ name: { station, utc: '20261120T020030Z' }, missing: [] });
  expect(await find('11/19/2026-02:00')).toMatchObject({ name: { utc: '20261119T020000Z' } });
  expect(await find('11/20/2026-02:00')).toMatchObject({ name: { utc: '20261120T020030Z' } });
});

test('none there, or none of that version: the refusal says what there is', async () => {
  expect(await failure(find('latest'))).toMatchObject({
    ...{ code: 'not-found', said: expect.stringContaining('system state DC1@latest') },
    next: expect.stringContaining('rekindle system-state add'),
  });
  expect(await failure(find('11/20/2026-02:00'))).toMatchObject({
    next: expect.stringContaining('system-state add'),
  });
  put('20261120T020000Z');
  expect(await failure(find('11/20/2026-03:00'))).toMatchObject({
    ...{ code: 'not-found', said: expect.stringContaining('DC1 of 11/20/2026-03:00: there is none') },
    next: expect.stringContaining('DC1@20261120T020000Z'),
  });
});

test('a signature of somebody else is not believed', async () => {
  put('20261120T020000Z');
  expect(await failure(find('latest', generateKeyPair()))).toMatchObject({ code: 'verification-failed' });
});

test('files that are gone or have another size are named', async () => {
  const { folder } = put('20261120T020000Z');
  const computer = path.join(folder, 'WindowsImageBackup/DC1');
  fs.rmSync(path.join(computer, 'MediaId'));
  fs.appendFileSync(path.join(computer, 'Catalog/GlobalCatalog'), 'x');
  expect((await find('latest')).missing.toSorted()).toEqual([
    'Catalog/GlobalCatalog has 5001 bytes instead of 5000',
    'MediaId is not there',
  ]);
});
