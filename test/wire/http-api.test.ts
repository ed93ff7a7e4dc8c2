import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { readReadings } from '#images/stores/announce-reading.ts';
import { findJob } from '#pxe-server/jobs/job-store.ts';
import { arm, findArmed } from '#pxe-server/stations/arming.ts';
import { closeEnrolment, openEnrolment } from '#pxe-server/stations/enrolment-window.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { addUser } from '#pxe-server/users/user-store.ts';
import { type ApiService, startApiService } from '#test/support/api-on-loopback.ts';
import { controllerFactsOf } from '#test/support/controller-facts.ts';
import { type SmallImage, smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

const password = 'correct horse battery';
const station = 'OS-SRV-1A';

const controllerFacts = controllerFactsOf(station);

/** The same kind of machine, but another one. */
function otherMachine(): HardwarePassport {
  const passport = somePassport();
  return {
    ...passport,
    system: { ...passport.system, uuid: '11111111-2222-4333-8444-555555555555', serial: 'PP7-0002' },
    board: { ...passport.board, serial: 'B70-0099' },
    networkCards: passport.networkCards.map((card, at) => ({ ...card, mac: `52:54:00:00:99:0${at}` })),
    disks: passport.disks.map((disk) => ({ ...disk, serial: 'SSD-0099', wwn: 'naa.5000000000000099' })),
  };
}

const logOn = async (service: ApiService, passport = somePassport(), technician = 'erika') => {
  const reply = await service.ask('POST', '/log-on', { json: { technician, password, passport } });
  return { reply, token: String(reply.json['token']) };
};

/** `OS-SRV-1A_20261120T020000Z` -> 2026-11-20T02:00:00Z */
const timeOf = (imageName: string) =>
  imageName.replace(/^.*_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');

const report = (outcome: string, more: object = {}) => ({
  formatVersion: 1,
  runId: '0d9d4a5e-6a0e-4c7a-9a51-2d7f0c1c7d11',
  purpose: 'recovery',
  outcome,
  exitCode: 0,
  reasons: [],
  passport: somePassport(),
  differences: [],
  confirmed: [],
  disks: [],
  unverified: [],
  steps: [],
  ...more,
});

describe('the way of one station', () => {
  let service: ApiService;
  let session: string;
  let image: SmallImage;
  let imageName: string;
  let firstRef: string;

  beforeAll(async () => {
    service = await startApiService();
    await addUser(service.context.state, { name: 'erika', role: 'technician', password });
  });
  afterAll(() => service[Symbol.asyncDispose]());

  it('logs on at a machine that is not enrolled, and enrols it only in an open window', async () => {
    const { reply, token } = await logOn(service);
    expect(reply.json).toMatchObject({ technician: 'erika', station: null, enrolmentOpenUntil: null });
    const enrol = { token, json: { name: station, passport: somePassport() } };
    expect((await service.ask('POST', '/stations', enrol)).json).toMatchObject({ code: 'not-enrolling' });

    openEnrolment(service.context.state, { milliseconds: 60_000, by: 'test' });
    expect((await service.ask('POST', '/stations', enrol)).json).toMatchObject({
      station: { name: station },
    });
    expect(existsSync(join(service.paths.packs, `${station}.img`))).toBe(true);
    // The reply was lost, say: the same again is no error.
    expect((await service.ask('POST', '/stations', enrol)).status).toBe(200);
    session = token;
  });

  it('notes the call that every runtime begins with, of a machine that was started', async () => {
    const { journal } = service.context;
    const machine = '127.0.0.1';
    journal.record({ machine, stage: 'boot-files', sentence: 'gets the boot script: recovery of X' });
    expect((await service.ask('GET', '/health')).status).toBe(204);
    expect(journal.last(machine)).toMatchObject({
      stage: 'runtime',
      sentence: 'its runtime has reached the service',
    });
  });

  it('captures: chunks, files, commit; only then there is an image, signed for minisign too', async () => {
    const opened = await service.ask('POST', '/captures', {
      token: session,
      json: { station, passport: somePassport() },
    });
    expect(opened.json).toMatchObject({
      station,
      sequence: 1,
      previousManifestSha256: null,
      dataVolumes: ['PROJECTS'],
    });
    const { jobId, token } = opened.json as { jobId: string; token: string };
    imageName = String(opened.json['imageName']);
    image = smallImage(station, somePassport(), {
      sequence: 1,
      previousManifestSha256: null,
      capturedAt: timeOf(imageName),
    });
    // The station is registered as a client.
    image = { ...image, manifest: { ...image.manifest, windows: controllerFacts } };
    const ids = image.chunks.map(({ id }) => id);
    const missing = () => service.ask('POST', '/store/missing', { token, json: { chunks: ids } });
    expect((await missing()).json).toEqual({ missing: ids });

    const chunkPath = (id: string) => `/store/chunks.castr/${id.slice(0, 4)}/${id}.cacnk`;
    const [first, second] = image.chunks;
    if (first === undefined || second === undefined) throw new Error('two chunks');
    expect((await service.ask('PUT', chunkPath(first.id), { token, bytes: second.file })).json).toMatchObject(
      {
        code: 'wrong-chunk',
      },
    );
    expect(
      (await service.ask('PUT', chunkPath(first.id), { token, bytes: Buffer.from('no zstd') })).status,
    ).toBe(422);
    expect((await service.ask('PUT', chunkPath(first.id), { token, bytes: first.file })).status).toBe(204);
    expect((await missing()).json).toEqual({ missing: [second.id] });
    expect((await service.ask('HEAD', chunkPath(first.id), { token })).status).toBe(200);
    expect((await service.ask('HEAD', chunkPath(second.id), { token })).status).toBe(404);
    expect((await service.ask('GET', chunkPath(first.id), { token })).status).toBe(403);

    const put = (file: string, bytes: Buffer) =>
      service.ask('PUT', `/store/images/${station}/${imageName}/${file}`, { token, bytes });
    // An announcement that gc has dropped does not come back with a file.
    const announced = join(service.context.store, 'captures', jobId);
    renameSync(announced, `${announced}.away`);
    const dropped = await put(`${station}_disk0.caibx`, image.index);
    expect(dropped.status).toBe(409);
    expect(dropped.json['next']).toContain('Start the capture again');
    expect(existsSync(announced)).toBe(false);
    renameSync(`${announced}.away`, announced);
    expect((await put(`${station}_disk0.caibx`, image.index)).status).toBe(204);
    expect((await put('passport.json', image.passportFile)).status).toBe(204);
    expect((await put('manifest.json', Buffer.from('{}'))).status).toBe(403);
    expect((await put('..%2F..%2Fevil', Buffer.from('x'))).status).toBe(403);
    expect(
      (
        await service.ask('PUT', `/store/images/OTHER/${imageName}/passport.json`, {
          token,
          bytes: image.index,
        })
      ).status,
    ).toBe(403);

    const commit = () => service.ask('POST', `/captures/${jobId}/commit`, { token, json: image.manifest });
    const late = { ...image.manifest, capturedAt: '2020-01-01T00:00:00Z' };
    const otherTime = await service.ask('POST', `/captures/${jobId}/commit`, { token, json: late });
    expect(otherTime.json['message']).toContain("the manifest's time is 20200101T000000Z, not ");
    const refused = await commit();
    expect(refused.json).toMatchObject({ code: 'image-not-complete' });
    expect(refused.json['message']).toContain(second.id);
    expect(readdirSync(join(service.context.store, 'images'))).toEqual([]);

    expect((await service.ask('PUT', chunkPath(second.id), { token, bytes: second.file })).status).toBe(204);
    // The client gave up waiting and asked again while the first check was still going on.
    const [committed, again] = await Promise.all([commit(), commit()]);
    expect(committed.status).toBe(200);
    expect(again.json).toEqual(committed.json);
    expect((await commit()).json).toEqual(committed.json);
    firstRef = String(committed.json['ref']);
    service.context.journal.flush();
    const told = service.context.state
      .prepare("SELECT sentence FROM journal WHERE sentence LIKE '%registered%'")
      .all();
    expect(told).toEqual([{ sentence: expect.stringMatching(/registered as client.* domain controller: /) }]);

    const manifest = join(service.context.store, 'images', station, imageName, 'manifest.json');
    const checked = execFileSync('minisign', [
      '-V',
      '-p',
      service.paths.imageSigningPublicKey,
      '-m',
      manifest,
    ]);
    expect(checked.toString()).toContain('Signature and comment signature verified');
    await service.ask('POST', `/jobs/${jobId}/report`, {
      token,
      json: report('captured', { purpose: 'enrolment' }),
    });
    expect((await service.ask('HEAD', chunkPath(first.id), { token })).json).toEqual({});
    expect((await service.ask('PUT', chunkPath(first.id), { token, bytes: first.file })).json).toMatchObject({
      code: 'job-closed',
    });
    closeEnrolment(service.context.state);
  });

  it('recognises the station, lists its images, and gives a token for one image only', async () => {
    const { reply, token } = await logOn(service);
    expect(reply.json).toMatchObject({ station: { name: station } });
    const images = await service.ask('GET', `/stations/${station}/images`, { token });
    expect(images.json).toMatchObject({
      images: [{ ref: firstRef, diskBytes: 8192, consistency: 'offline' }],
    });

    const job = await service.ask('POST', '/jobs', {
      token,
      json: { station, image: `${station}@latest`, passport: somePassport() },
    });
    expect(job.json).toMatchObject({ station, image: firstRef, storePath: '/api/v1/store' });
    const jobToken = String(job.json['token']);
    const jobId = String(job.json['jobId']);
    const [chunk] = image.chunks;
    const path = `/store/chunks.castr/${chunk?.id.slice(0, 4)}/${chunk?.id}.cacnk`;
    const got = await service.ask('GET', path, { token: jobToken });
    expect(got.bytes.equals(chunk?.file ?? Buffer.alloc(0))).toBe(true);
    expect((await service.ask('GET', path, { token })).status).toBe(403);
    expect((await service.ask('GET', path)).status).toBe(401);
    expect(
      (await service.ask('PUT', path, { token: jobToken, bytes: chunk?.file ?? Buffer.alloc(0) })).status,
    ).toBe(403);

    // A chunk that is in the store, but of another image.
    const foreign = smallImage(station, somePassport(), { sequence: 9, previousManifestSha256: null }, 77)
      .chunks[0];
    const foreignPath = `/store/chunks.castr/${foreign?.id.slice(0, 4)}/${foreign?.id}.cacnk`;
    expect((await service.ask('GET', foreignPath, { token: jobToken })).status).toBe(403);
    const asked = { token: jobToken, json: { chunks: [foreign?.id] } };
    expect((await service.ask('POST', '/store/missing', asked)).status).toBe(403);

    const passportPath = `/store/images/${station}/${imageName}/passport.json`;
    expect((await service.ask('GET', passportPath, { token: jobToken })).json).toEqual(somePassport());
    const otherPath = passportPath.replace(imageName, `${station}_20200101T000000Z`);
    expect((await service.ask('GET', otherPath, { token: jobToken })).status).toBe(403);

    const event = {
      step: 'restore',
      state: 'progress',
      at: '2026-11-20T02:00:00Z',
      uptimeSeconds: 12,
      sentence: 'x',
    };
    const ended = { ...event, state: 'done', sentence: '1 GiB read back from the disk' };
    const events = { token: jobToken, json: { events: [event, ended] } };
    expect((await service.ask('POST', `/jobs/${jobId}/events`, events)).status).toBe(204);
    // The transcript of the boot goes on to the restored system: steps that ended, not their progress.
    const told = service.context.journal.boots(findJob(service.context.state, jobId)?.machine ?? '').at(-1);
    expect(told?.filter(({ stage }) => stage === 'steps').map(({ sentence }) => sentence)).toEqual([
      '1 GiB read back from the disk',
    ]);
    expect((await service.ask('POST', '/jobs/another/events', events)).status).toBe(403);

    // Whoever prunes this store, on whatever machine, sees that the image is needed.
    const readings = async () => [...(await readReadings(service.context.store, Date.now(), 60_000)).keys()];
    expect(await readings()).toEqual([firstRef]);
    const done = { token: jobToken, json: report('restored') };
    expect((await service.ask('POST', `/jobs/${jobId}/report`, done)).status).toBe(204);
    expect((await service.ask('POST', `/jobs/${jobId}/report`, done)).status).toBe(204);
    expect(await readings()).toEqual([]);
    const second = {
      token: jobToken,
      json: report('failed', { runId: 'a9d9a5e1-6a0e-4c7a-9a51-2d7f0c1c7d11' }),
    };
    expect((await service.ask('POST', `/jobs/${jobId}/report`, second)).json).toMatchObject({
      code: 'job-closed',
    });
    expect((await service.ask('GET', path, { token: jobToken })).json).toMatchObject({ code: 'job-closed' });

    const folder = readdirSync(join(service.paths.reports, station)).find((name) => name.endsWith(jobId));
    const file = join(service.paths.reports, station, String(folder), 'report.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      jobId,
      image: firstRef,
      startedBy: { how: 'technician', technician: 'erika' },
      machine: { outcome: 'restored' },
    });
    execFileSync('minisign', ['-V', '-p', service.paths.imageSigningPublicKey, '-m', file]);
  });

  it('refuses another machine, and images that are not there', async () => {
    const { token } = await logOn(service);
    const ask = (image: string, passport = somePassport()) =>
      service.ask('POST', '/jobs', { token, json: { station, image, passport } });
    expect((await ask(`${station}@20200101T000000Z`)).json).toMatchObject({ code: 'no-such-image' });
    expect((await ask('nonsense')).json).toMatchObject({ code: 'no-such-image' });
    expect((await ask(`${station}@latest`, otherMachine())).json).toMatchObject({ code: 'not-allowed' });

    const stranger = await logOn(service, otherMachine());
    expect(stranger.reply.json).toMatchObject({ station: null });
    const images = await service.ask('GET', `/stations/${station}/images`, { token: stranger.token });
    expect(images.status).toBe(403);
  });

  it('lets other hardware compare itself with the image and report that, but read no chunk of it', async () => {
    const { token } = await logOn(service);
    const passport = { ...somePassport(), board: { ...somePassport().board, product: 'B-99' } };
    const job = await service.ask('POST', '/jobs', {
      token,
      json: { station, image: firstRef, passport },
    });
    expect(job.json).toMatchObject({ image: firstRef, registeredPassport: somePassport() });
    const comparison = String(job.json['token']);
    const jobId = String(job.json['jobId']);
    const passportPath = `/store/images/${station}/${imageName}/passport.json`;
    expect((await service.ask('GET', passportPath, { token: comparison })).json).toEqual(somePassport());

    const [chunk] = image.chunks;
    const path = `/store/chunks.castr/${chunk?.id.slice(0, 4)}/${chunk?.id}.cacnk`;
    for (const method of ['GET', 'HEAD'] as const) {
      expect((await service.ask(method, path, { token: comparison })).status).toBe(403);
    }
    const missing = { token: comparison, json: { chunks: [chunk?.id] } };
    expect((await service.ask('POST', '/store/missing', missing)).status).toBe(403);

    const refused = report('refused', {
      runId: '0d9d4a5e-6a0e-4c7a-9a51-0000000000ff',
      exitCode: 12,
      passport,
    });
    expect(
      (await service.ask('POST', `/jobs/${jobId}/report`, { token: comparison, json: refused })).status,
    ).toBe(204);
    const folder = readdirSync(join(service.paths.reports, station)).find((name) => name.endsWith(jobId));
    const file = join(service.paths.reports, station, String(folder), 'report.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ machine: { outcome: 'refused' } });
    execFileSync('minisign', ['-V', '-p', service.paths.imageSigningPublicKey, '-m', file]);
    expect(getStation(service.context.state, station).passport).toEqual(somePassport());
  });

  it('lets an armed station restore the one image without a log-on, until it is reported as done', async () => {
    const { state } = service.context;
    const passport = somePassport();
    expect((await service.ask('POST', '/armed', { json: { passport } })).json).toEqual({ armed: null });
    arm(state, {
      station,
      image: firstRef,
      until: new Date(Date.now() + 60_000),
      by: 'root',
      acceptsReplaced: false,
    });
    const askArmed = async () => (await service.ask('POST', '/armed', { json: { passport } })).json['armed'];
    expect((await service.ask('POST', '/armed', { json: { passport: otherMachine() } })).json).toEqual({
      armed: null,
    });

    const start = async (outcome: string, runId: string) => {
      const { token } = (await askArmed()) as { token: string };
      const other = { station, image: `${station}@latest`, passport };
      expect((await service.ask('POST', '/jobs', { token, json: other })).status).toBe(403);
      expect((await service.ask('POST', '/captures', { token, json: { station, passport } })).status).toBe(
        403,
      );
      const job = await service.ask('POST', '/jobs', { token, json: { station, image: firstRef, passport } });
      const jobToken = String(job.json['token']);
      const json = report(outcome, { runId });
      return service.ask('POST', `/jobs/${job.json['jobId']}/report`, { token: jobToken, json });
    };
    await start('failed', '0d9d4a5e-6a0e-4c7a-9a51-000000000001');
    expect(findArmed(state, station)).toBeDefined();
    await start('restored', '0d9d4a5e-6a0e-4c7a-9a51-000000000002');
    expect(findArmed(state, station)).toBeUndefined();
    expect(await askArmed()).toBeNull();
  });

  it('takes confirmed replaced parts into the registered passport, and no others', async () => {
    const [disk] = somePassport().disks;
    const passport = {
      ...somePassport(),
      disks: [{ ...disk, serial: 'SSD-0002', wwn: 'naa.5000000000000002' }],
    };
    const run = async (confirmed: string[], runId: string) => {
      const { token } = await logOn(service);
      const json = { station, image: firstRef, passport };
      const job = (await service.ask('POST', '/jobs', { token, json })).json;
      const body = report('restored', { runId, passport, confirmed });
      await service.ask('POST', `/jobs/${job['jobId']}/report`, { token: String(job['token']), json: body });
      return getStation(service.context.state, station).passport.disks[0]?.serial;
    };
    expect(await run([], '0d9d4a5e-6a0e-4c7a-9a51-00000000000a')).toBe('SSD-0001');
    expect(await run([`disk ${disk?.slot}`], '0d9d4a5e-6a0e-4c7a-9a51-00000000000b')).toBe('SSD-0002');
  });

  it('does not list an image whose manifest was changed', async () => {
    const manifest = join(service.context.store, 'images', station, imageName, 'manifest.json');
    const original = readFileSync(manifest);
    writeFileSync(manifest, original.toString('utf8').replace('"offline"', '"crash"'));
    const { token } = await logOn(service);
    expect((await service.ask('GET', `/stations/${station}/images`, { token })).json).toEqual({ images: [] });
    const json = { station, image: firstRef, passport: somePassport() };
    expect((await service.ask('POST', '/jobs', { token, json })).json).toMatchObject({
      code: 'image-damaged',
    });
    writeFileSync(manifest, original);
  });
});
