import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSystemStateFile } from '#images/stores/system-state-file.ts';
import { readSystemState } from '#images/stores/system-state-files.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { type Grant, mintToken } from '#pxe-server/jobs/token.ts';
import { type ApiService, startApiService } from '#test/support/api-on-loopback.ts';
import { someBackup, writeSystemState } from '#test/support/system-state-in-store.ts';

/** System states over the real service: a restore's token reads those of its own station, and nothing else. */

const utc = '20261120T020000Z';
const backup = someBackup(utc, 2_000_000);
const base = `/store/system-states/DC1/DC1_${utc}`;
const disk = `${base}/WindowsImageBackup/DC1/Backup%202026-11-20%20020000/b2b0.vhdx`;

let service: ApiService;
let state: ReturnType<typeof writeSystemState>;
let token: string;
beforeAll(async () => {
  service = await startApiService();
  const { store, signingKey } = service.context;
  state = writeSystemState(store, signingKey, { station: 'DC1', utc, files: backup });
  writeSystemState(store, signingKey, { station: 'DC2', utc });
  token = tokenOf('job', 'DC1');
});
afterAll(() => service[Symbol.asyncDispose]());

function tokenOf(kind: Grant['kind'], station: string, closed = false): string {
  const { state: site } = service.context;
  const who = { how: 'technician', technician: 'erika' } as const;
  const imageName = `${station}_20261101T020000Z`;
  const jobKind = kind === 'capture' ? 'capture' : 'restore';
  const job = openJob(site, {
    kind: jobKind,
    station,
    imageName,
    manifestSha256: null,
    ...who,
    machine: 'test',
  });
  if (closed) site.prepare('UPDATE jobs SET closed_at = 1 WHERE id = ?').run(job);
  const expiresAt = Date.now() + 600_000;
  return mintToken(site, { kind, ...who, station, job: kind === 'session' ? null : job, expiresAt });
}

const get = (path: string, as: string | undefined = token) =>
  service.ask('GET', path, as === undefined ? {} : { token: as });

test('a restore reads the manifest and every file of its station, checked', async () => {
  const tls = { ca: service.ca, serverName: 'rekindle' };
  const ref = { kind: 'http', url: `https://127.0.0.1:${service.port}/api/v1/store`, token, tls } as const;
  const manifest = await readSystemState(ref, state.name, service.context.signingKey);
  expect(manifest).toEqual(state.manifest);
  for (const file of manifest.files) {
    const parts: Uint8Array[] = [];
    for await (const part of readSystemStateFile(ref, state.name, manifest, file))
      parts.push(Buffer.from(part));
    expect(Buffer.concat(parts).equals(backup[file.path] ?? Buffer.alloc(0)), file.path).toBe(true);
  }
});

test('parts of a file are sent, and only of the same file', async () => {
  const { port, ca } = service;
  const whole = backup[`Backup 2026-11-20 020000/b2b0.vhdx`];
  const ask = (headers: Record<string, string>) =>
    new Promise<{
      status: number | undefined;
      range: string | undefined;
      etag: string | undefined;
      body: Buffer;
    }>((resolve, reject) => {
      const options = {
        ca,
        servername: 'rekindle',
        headers: { authorization: `Bearer ${token}`, ...headers },
      };
      https
        .get(`https://127.0.0.1:${port}/api/v1${disk}`, options, async (reply) => {
          const parts: Buffer[] = [];
          for await (const part of reply) parts.push(part);
          const { 'content-range': range, etag } = reply.headers;
          resolve({ status: reply.statusCode, range, etag, body: Buffer.concat(parts) });
        })
        .on('error', reject);
    });
  const { etag = '' } = await ask({});
  const part = await ask({ range: 'bytes=1999000-', 'if-range': etag });
  expect(part).toMatchObject({ status: 206, range: 'bytes 1999000-1999999/2000000' });
  expect(part.body.equals(whole?.subarray(1_999_000) ?? Buffer.alloc(0))).toBe(true);
  expect(await ask({ range: 'bytes=1999000-', 'if-range': '"another"' })).toMatchObject({ status: 200 });
});

test.each<[string, Grant['kind'], string, boolean, number]>([
  ['another station', 'job', 'DC2', false, 403],
  ['a comparison', 'comparison', 'DC1', false, 403],
  ['a capture', 'capture', 'DC1', false, 403],
  ['a session', 'session', 'DC1', false, 403],
  ['a restore that is over', 'job', 'DC1', true, 403],
])('the token of %s reads nothing', async (_, kind, station, closed, status) => {
  const other = tokenOf(kind, station, closed);
  expect((await get(disk, other)).status).toBe(status);
  expect((await get(`${base}/manifest.json`, other)).status).toBe(status);
});

test('no token reads nothing, and nobody writes', async () => {
  expect((await service.ask('GET', disk)).status).toBe(401);
  const bytes = Buffer.from('x');
  for (const kind of ['job', 'capture'] as const)
    expect((await service.ask('PUT', disk, { token: tokenOf(kind, 'DC1'), bytes })).status).toBe(404);
});

test.each([
  `/store/system-states/DC2/DC2_${utc}/manifest.json`,
  `/store/system-states/DC1/DC2_${utc}/manifest.json`,
  `/store/system-states/DC1/../DC2/DC2_${utc}/manifest.json`,
  `/store/system-states/DC1/..%2FDC2%2FDC2_${utc}%2Fmanifest.json`,
  `${base}/WindowsImageBackup/DC1/..%2f..%2f..%2f..%2f..%2f..%2frekindle.yaml`,
  `${base}/WindowsImageBackup/../../../../../rekindle.yaml`,
  `${base}/WindowsImageBackup/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/rekindle.yaml`,
  `${base}/WindowsImageBackup/DC1/a%00b`,
  `${base}/WindowsImageBackup/DC1/a%5C..%5Cb`,
  `${base}/WindowsImageBackup/DC1`,
  `${base}/WindowsImageBackup/`,
  `${base}/`,
  `${base}/note.txt`,
  `${base}/manifest.json/x`,
  `/store/system-states/DC1/.publishing-abc/manifest.json`,
  '/store/system-states/DC1/',
])('%s is not for it', async (path) => {
  fs.writeFileSync(`${state.folder}/note.txt`, 'x');
  const { status, json } = await get(path);
  expect(status).toBe(403);
  expect(json['message']).toContain('its own station only');
});

test('what is not there, is a folder, or leads out of the folder, is no file', async () => {
  const computer = path.join(state.folder, 'WindowsImageBackup/DC1');
  fs.symlinkSync('/etc/passwd', path.join(computer, 'out'));
  fs.symlinkSync('/etc', path.join(computer, 'folder'));
  fs.symlinkSync('MediaId', path.join(computer, 'inside'));
  for (const file of ['none', 'out', 'folder/passwd', 'Catalog'])
    expect((await get(`${base}/WindowsImageBackup/DC1/${file}`)).status, file).toBe(404);
  expect((await get(`${base}/WindowsImageBackup/DC1/inside`)).status).toBe(200);
  expect((await get(`/store/system-states/DC1/DC1_20200101T000000Z/manifest.json`)).status).toBe(404);
});

test('a link in the place of a system state leads to no other station’s; a pipe keeps nobody waiting', async () => {
  const own = path.dirname(state.folder);
  fs.symlinkSync(`../DC2/DC2_${utc}`, path.join(own, 'DC1_20261119T020000Z'));
  expect((await get('/store/system-states/DC1/DC1_20261119T020000Z/manifest.json')).status).toBe(404);
  const computer = path.join(state.folder, 'WindowsImageBackup/DC1');
  execFileSync('mkfifo', [path.join(computer, 'pipe')]);
  expect((await get(`${base}/WindowsImageBackup/DC1/pipe`)).status).toBe(404);
  const aside = `${service.context.store}-aside`;
  const states = path.join(service.context.store, 'system-states');
  fs.renameSync(states, aside);
  fs.symlinkSync(aside, states);
  try {
    expect((await get(`${base}/manifest.json`)).status).toBe(200);
  } finally {
    fs.rmSync(states);
    fs.renameSync(aside, states);
  }
});
