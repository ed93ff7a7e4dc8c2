import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { apiByCurl } from '#test/support/api-by-curl.ts';
import { type ServedSite, startServedSite, startServing } from '#test/support/served-site.ts';
import { smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A capture of which the service loses the half, and what the verbs say of the image then. Tests follow each other. */

const password = 'correct horse battery';
const station = 'OS-SRV-1A';
let served: ServedSite<'station'>;
/** The service after it was killed. */
let again: ChildProcessWithoutNullStreams | undefined;
let site: string;
let api: ReturnType<typeof apiByCurl>;

beforeAll(async () => {
  served = await startServedSite({ members: { station: { address: '10.77.0.20/24' } } });
  site = served.site;
  api = apiByCurl(served.lan.members.station, served.folder, site);
  const passport = join(served.folder, 'passport.json');
  writeFileSync(passport, JSON.stringify(somePassport()));
  expect(await served.rekindle('station', 'add', station, '--passport', passport)).toMatchObject({ code: 0 });
});
afterAll(async () => {
  again?.kill('SIGKILL');
  await served[Symbol.asyncDispose]();
});

it('leaves no image when the service is killed, and its chunks are not sent twice', async () => {
  const passport = somePassport();
  expect((await served.rekindle('enrol', 'open', '--for', '15m', '--station', station)).code).toBe(0);
  const logOn = async () =>
    (await api('POST', '/log-on', { technician: 'technician', password, passport })).json['token'];
  const open = async () =>
    (await api('POST', '/captures', { station, passport }, String(await logOn()))).json as Record<
      string,
      string
    >;

  const first = await open();
  const image = smallImage(station, passport, { sequence: 1, previousManifestSha256: null });
  const [one, two] = image.chunks;
  const put = (path: string, bytes: Buffer | undefined, token: string | undefined) =>
    api('PUT', `/store/${path}`, bytes, token);
  const chunkPath = (id = '') => `chunks.castr/${id.slice(0, 4)}/${id}.cacnk`;
  expect((await put(chunkPath(one?.id), one?.file, first['token'])).status).toBe(204);
  const index = `images/${station}/${first['imageName']}/${station}_disk0.caibx`;
  expect((await put(index, image.index, first['token'])).status).toBe(204);

  process.kill(served.pid, 'SIGKILL');
  await expect.poll(() => existsSync(`/proc/${served.pid}`), { timeout: 10_000 }).toBe(false);
  expect((await served.rekindle('image', 'list')).stdout).toContain('There is no image yet');
  expect(existsSync(join(site, 'images', 'images', station))).toBe(false);

  again = await startServing(served.lan.members.server, site);
  const second = await open();
  // The manifest says the time that the service gave the image.
  image.manifest['capturedAt'] = String(second['imageName']).replace(
    /^.*_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  const announced = readdirSync(join(site, 'images', 'captures')).filter((name) => !name.startsWith('.'));
  expect(announced).toEqual([second['jobId']]);
  const asked = { chunks: image.chunks.map(({ id }) => id) };
  expect((await api('POST', '/store/missing', asked, second['token'])).json).toEqual({
    missing: [two?.id],
  });
  expect(
    (await api('POST', `/captures/${first['jobId']}/commit`, image.manifest, first['token'])).json,
  ).toMatchObject({
    code: 'job-closed',
  });
  await put(chunkPath(two?.id), two?.file, second['token']);
  for (const [name, bytes] of [
    [`${station}_disk0.caibx`, image.index],
    ['passport.json', image.passportFile],
  ] as const) {
    await put(`images/${station}/${second['imageName']}/${name}`, bytes, second['token']);
  }
  const committed = await api('POST', `/captures/${second['jobId']}/commit`, image.manifest, second['token']);
  expect(committed).toMatchObject({
    status: 200,
    json: { ref: `${station}@${second['imageName']?.split('_')[1]}` },
  });
  expect((await served.rekindle('image', 'verify', `${station}@latest`)).stdout).toMatch(
    / whole +\d+ chunks/,
  );
});

it('finds a damaged chunk and ends with 14', async () => {
  const chunks = join(site, 'images', 'chunks.castr');
  const [folderName] = readdirSync(chunks);
  const [file] = readdirSync(join(chunks, String(folderName)));
  writeFileSync(join(chunks, String(folderName), String(file)), 'damaged');
  const { code, stderr } = await served.rekindle('image', 'verify', `${station}@latest`);
  expect(code).toBe(14);
  expect(stderr).toContain(String(file).slice(0, 64));
});

it('lists a damaged image as damaged and ends with 14; what is no station is a usage error', async () => {
  const images = join(site, 'images', 'images', station);
  const manifest = join(images, String(readdirSync(images)[0]), 'manifest.json');
  const text = readFileSync(manifest, 'utf8');
  writeFileSync(manifest, `${text} `);
  const { code, stdout } = await served.rekindle('image', 'list');
  writeFileSync(manifest, text);
  expect(code).toBe(14);
  expect(stdout).toMatch(/^OS-SRV-1A@\d{8}T\d{6}Z +DAMAGED$/m);
  expect((await served.rekindle('image', 'list', 'no station')).code).toBe(2);
});

it('arms only with an image that is there', async () => {
  const arm = (image: string) => served.rekindle('station', 'arm', station, '--image', image, '--for', '30m');
  expect((await arm(`${station}@20200101T000000Z`)).code).toBe(11);
  expect((await arm('OTHER@latest')).code).toBe(2);
  expect((await arm(`${station}@latest`)).code).toBe(0);
  expect((await api('POST', '/armed', { passport: somePassport() })).json).toMatchObject({
    armed: { image: `${station}@latest`, station: { name: station } },
  });
});
