import { expect, test } from 'vitest';
import type { StationName } from '#images/format/image-manifest.ts';
import { formatPublicKey, generateKeyPair, signBytes } from '#images/format/minisign.ts';
import type { ServerClient } from '#runtime/server-client/server-client.ts';
import { checkImage, openJob } from '#runtime/steps/open-job.ts';
import { smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A service that answers what the test says: these steps must not believe it. */

const station = 'OS-SRV-1A' as StationName;
const reporter = { say: () => {}, progress: () => {} };
const key = generateKeyPair();
const site = { ca: '', imageSigner: formatPublicKey(key) };
const image = smallImage(station, somePassport(), { sequence: 1, previousManifestSha256: null });

function jobFor(ref: string, manifest: unknown = image.manifest) {
  const bytes = Buffer.from(JSON.stringify(manifest));
  return {
    jobId: 'job',
    token: 'A'.repeat(43),
    station,
    image: ref,
    manifest: bytes.toString('base64'),
    manifestSignature: signBytes(bytes, key, 'rekindle image'),
    registeredPassport: somePassport(),
    storePath: '/api/v1/store',
    share: null,
  };
}

const serverWith = (answer: unknown, files: Readonly<Record<string, Buffer>> = {}): ServerClient => ({
  address: { url: 'https://10.77.0.1:8443', ca: '', serverName: 'rekindle' },
  ask: async () => ({ kind: 'ok', value: answer as never }),
  get: async () => answer as never,
  getBytes: async ({ path }) => files[path.slice(path.lastIndexOf('/') + 1)] ?? Buffer.alloc(0),
  close: () => {},
});
const open = (asked: string, answered: string) =>
  openJob.run(
    { server: serverWith(jobFor(answered)), token: '', station, image: asked, passport: somePassport() },
    reporter,
  );
const check = (ref: string, passportFile = image.passportFile, manifest: unknown = image.manifest) =>
  checkImage.run(
    {
      server: serverWith(undefined, {
        [`${station}_disk0.caibx`]: image.index,
        'passport.json': passportFile,
      }),
      job: jobFor(ref, manifest),
      site,
    },
    reporter,
  );

const captured = `${station}@20261120T020000Z`;

test('the image that was chosen, or the newest one when that was asked for', async () => {
  await expect(open(captured, captured)).resolves.toMatchObject({ value: { image: captured } });
  await expect(open(`${station}@latest`, captured)).resolves.toMatchObject({ value: { image: captured } });
});
test('an answer with another image than the chosen one is refused', async () => {
  await expect(open(captured, `${station}@20260101T000000Z`)).rejects.toMatchObject({
    code: 'verification-failed',
  });
  await expect(open(`${station}@latest`, 'OTHER@20260101T000000Z')).rejects.toMatchObject({
    code: 'verification-failed',
  });
});
test('a signed manifest under the name of another image is refused', async () => {
  await expect(check(captured)).resolves.toMatchObject({ value: { manifest: { station } } });
  await expect(check(`${station}@20260101T000000Z`)).rejects.toMatchObject({
    code: 'verification-failed',
    cause: new Error(`its manifest is signed, but it is the manifest of ${captured}`),
  });
});
test('an image whose passport is none is refused with a sentence', async () => {
  const passportFile = Buffer.from('{}');
  const files = (image.manifest['files'] as { name: string }[]).map((file) =>
    file.name === 'passport.json'
      ? {
          name: file.name,
          bytes: 2,
          sha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        }
      : file,
  );
  await expect(check(captured, passportFile, { ...image.manifest, files })).rejects.toMatchObject({
    code: 'verification-failed',
    message: `reading the hardware passport of ${captured}`,
  });
});
