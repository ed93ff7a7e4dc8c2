import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { problemSchema } from '#contract/api.ts';
import { createCertificates } from '#pxe-server/site/create-certificates.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { addUser } from '#pxe-server/users/user-store.ts';
import { type ApiService, startApiService } from '#test/support/api-on-loopback.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** What the API refuses. */

const password = 'correct horse battery';
const station = 'OS-SRV-1A';

const logOn = async (service: ApiService, passport = somePassport(), technician = 'erika') => {
  const reply = await service.ask('POST', '/log-on', { json: { technician, password, passport } });
  return { reply, token: String(reply.json['token']) };
};

let service: ApiService;
beforeAll(async () => {
  service = await startApiService('interface: lo\nlogOn: {tries: 3}\n');
  await addUser(service.context.state, { name: 'erika', role: 'technician', password });
  await addUser(service.context.state, { name: 'otto', role: 'auditor', password });
  addStation(service.context.state, { name: station, passport: somePassport(), by: 'test' });
});
afterAll(() => service[Symbol.asyncDispose]());

it('is not believed by a client that trusts another CA, or expects another name', async () => {
  const other = sitePaths(join(service.paths.folder, 'other'));
  execFileSync('mkdir', ['-p', join(other.folder, 'keys')]);
  await createCertificates(other, ['127.0.0.1']);
  const codeOf = (options: https.RequestOptions) =>
    new Promise((resolve) => {
      https
        .get({ host: '127.0.0.1', port: service.port, path: '/api/v1/health', ...options }, (reply) => {
          reply.resume();
          resolve(reply.statusCode);
        })
        .on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
  const ca = readFileSync(other.caCertificate);
  expect(await codeOf({ ca, servername: 'rekindle' })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  expect(await codeOf({ ca: service.ca, servername: 'elsewhere' })).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  expect(await codeOf({ ca: service.ca, servername: 'rekindle' })).toBe(204);
  expect(await codeOf({ ca: service.ca, servername: 'rekindle', maxVersion: 'TLSv1.2' })).toMatch(
    /EPROTO|PROTOCOL|VERSION/,
  );
});

it('answers what it does not know with a problem', async () => {
  for (const [method, path] of [
    ['GET', '/nothing'],
    ['DELETE', '/jobs'],
    ['GET', '/../../etc/passwd'],
    ['GET', '/store/chunks.castr/..%2f..%2f/x'],
    ['POST', '/store/missing'],
  ] as const) {
    const reply = await service.ask(method, path);
    expect([401, 403, 404]).toContain(reply.status);
    expect(problemSchema.safeParse(reply.json).success).toBe(true);
  }
});

it('survives any body', async () => {
  const passport = somePassport();
  const bodies = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({ technician: fc.anything(), password: fc.anything(), passport: fc.constant(passport) })
      .map((value) => Buffer.from(JSON.stringify(value) ?? '')),
  );
  const paths = fc.constantFrom('/log-on', '/armed');
  await fc.assert(
    fc.asyncProperty(paths, bodies, async (path, bytes) => {
      const reply = await service.ask('POST', path, { bytes });
      expect([200, 400, 401, 413, 415, 429]).toContain(reply.status);
      if (reply.status !== 200) expect(problemSchema.safeParse(reply.json).success).toBe(true);
    }),
    { numRuns: 150 },
  );
  service.context.state.exec('DELETE FROM lock_outs');
  expect((await service.ask('POST', '/log-on', { bytes: Buffer.alloc(3_000_000, 32) })).status).toBe(413);
  expect((await service.ask('GET', '/health')).status).toBe(204);
});

it('lets an auditor see images and nothing more', async () => {
  service.context.state.exec('DELETE FROM lock_outs');
  const { token } = await logOn(service, somePassport(), 'otto');
  expect((await service.ask('GET', `/stations/${station}/images`, { token })).status).toBe(200);
  const json = { station, image: `${station}@latest`, passport: somePassport() };
  expect((await service.ask('POST', '/jobs', { token, json })).json).toMatchObject({ code: 'not-allowed' });
});

it('counts wrong passwords, then locks for a while', async () => {
  const passport = somePassport();
  const json = { technician: 'erika', password: 'wrong', passport };
  const ask = () => service.ask('POST', '/log-on', { json });
  expect((await ask()).json).toMatchObject({ code: 'wrong-password', triesLeft: 2 });
  expect((await ask()).json).toMatchObject({ code: 'wrong-password', triesLeft: 1 });
  const locked = await ask();
  expect(locked.json).toMatchObject({ code: 'locked', retryAfterSeconds: 900 });
  expect(locked.headers['retry-after']).toBe('900');
  expect((await logOn(service)).reply.status).toBe(429);
});
