import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { checkReadiness } from '#pxe-server/serve/check-readiness.ts';
import { writeServedShare } from '#pxe-server/site/served-share.ts';
import { openEnrolment } from '#pxe-server/stations/enrolment-window.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { addUser } from '#pxe-server/users/user-store.ts';
import { type ApiService, startApiService } from '#test/support/api-on-loopback.ts';
import { smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

const station = 'OS-SRV-1A';
const technicianPassword = 'correct horse battery';
const secret = 'the share secret 7d1f';

async function site(
  share: (passwordFile: string) => string,
): Promise<{ service: ApiService; passwordFile: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'share-secret-'));
  const passwordFile = path.join(folder, 'password');
  writeFileSync(passwordFile, `${secret}\n`, { mode: 0o600 });
  const service = await startApiService(`interface: lo\nshare: ${share(passwordFile)}\n`);
  onTestFinished(async () => {
    await service[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  await addUser(service.context.state, { name: 'erika', role: 'technician', password: technicianPassword });
  addStation(service.context.state, { name: station, passport: somePassport(), by: 'test' });
  return { service, passwordFile };
}

async function logOn(service: ApiService, passport = somePassport()): Promise<string> {
  const json = { technician: 'erika', password: technicianPassword, passport };
  return String((await service.ask('POST', '/log-on', { json })).json['token']);
}

/** Puts one image of the station into the store, as a capture does. */
async function capture(service: ApiService) {
  openEnrolment(service.context.state, { milliseconds: 60_000, by: 'test' });
  const token = await logOn(service);
  const opened = await service.ask('POST', '/captures', {
    token,
    json: { station, passport: somePassport() },
  });
  const { jobId, imageName } = opened.json as { jobId: string; imageName: string };
  const captureToken = String(opened.json['token']);
  const capturedAt = imageName.replace(/^.*_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const image = smallImage(station, somePassport(), {
    sequence: 1,
    previousManifestSha256: null,
    capturedAt,
  });
  for (const { id, file } of image.chunks) {
    await service.ask('PUT', `/store/chunks.castr/${id.slice(0, 4)}/${id}.cacnk`, {
      token: captureToken,
      bytes: file,
    });
  }
  const put = (name: string, bytes: Uint8Array) =>
    service.ask('PUT', `/store/images/${station}/${imageName}/${name}`, { token: captureToken, bytes });
  await put(`${station}_disk0.caibx`, image.index);
  await put('passport.json', image.passportFile);
  const commit = await service.ask('POST', `/captures/${jobId}/commit`, {
    token: captureToken,
    json: image.manifest,
  });
  expect(commit.status).toBe(200);
  return opened;
}

const smb = (passwordFile: string) =>
  `{ smb: //localhost/images/plant, user: recovery, domain: PLANT, passwordFile: ${passwordFile} }`;
const handedOver = {
  kind: 'smb',
  server: 'localhost',
  address: '127.0.0.1',
  share: 'images',
  folder: 'plant',
  user: 'recovery',
  domain: 'PLANT',
  password: secret,
  seal: true,
};

test('an authorised job gets the share and its secret; other hardware, lists and problems do not', async () => {
  const { service, passwordFile } = await site(smb);
  expect((await capture(service)).json['share']).toEqual(handedOver);

  const token = await logOn(service);
  const ask = (passport: HardwarePassport) =>
    service.ask('POST', '/jobs', { token, json: { station, image: `${station}@latest`, passport } });
  expect((await ask(somePassport())).json['share']).toEqual(handedOver);

  const otherBoard = { ...somePassport(), board: { ...somePassport().board, product: 'another board' } };
  const compared = await ask(otherBoard);
  expect(compared.status).toBe(200);
  expect(compared.json['share']).toBeNull();
  expect(compared.bytes.toString()).not.toContain(secret);

  // The file counts at every job: a changed password needs no restart.
  writeFileSync(passwordFile, 'changed');
  expect((await ask(somePassport())).json['share']).toMatchObject({ password: 'changed' });
  for (const spoil of [() => chmodSync(passwordFile, 0o640), () => rmSync(passwordFile)]) {
    spoil();
    const refused = await ask(somePassport());
    expect([refused.status, refused.json['code']]).toEqual([503, 'share-not-usable']);
    expect(refused.bytes.toString()).not.toContain(passwordFile.slice(0, 20));
  }
  writeFileSync(passwordFile, secret);
});

test('an NFS export is named without any secret, and a name that nobody knows is a problem with advice', async () => {
  const { service } = await site(() => '{ nfs: "localhost:/export/images" }');
  const nfs = { kind: 'nfs', server: 'localhost', address: '127.0.0.1', path: '/export/images' };
  expect((await capture(service)).json['share']).toEqual(nfs);

  const { service: unknown } = await site(() => '{ nfs: "no-such-server.invalid:/export" }');
  openEnrolment(unknown.context.state, { milliseconds: 60_000, by: 'test' });
  const token = await logOn(unknown);
  const refused = await unknown.ask('POST', '/captures', {
    token,
    json: { station, passport: somePassport() },
  });
  expect(refused.json).toMatchObject({
    code: 'share-not-usable',
    next: expect.stringContaining('/etc/hosts'),
  });
});

test('the service does not start with a password that others can read or a runtime that cannot mount', async () => {
  const { service, passwordFile } = await site(smb);
  const { paths, context } = service;
  const problems = async () =>
    (await checkReadiness(paths, context.state, context.store, context.configuration.share)).problems.map(
      ({ problem }) => problem,
    );
  expect(await problems()).toContain('The recovery runtime was not built to mount SMB shares.');
  await writeServedShare(paths, 'smb');
  expect((await problems()).filter((problem) => /share|SMB/.test(problem))).toEqual([]);
  chmodSync(passwordFile, 0o644);
  expect((await problems()).join()).toContain('can be read by other users');
});
