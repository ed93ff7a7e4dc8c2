import { expect, test } from 'vitest';
import { imageManifestSchema } from '#images/format/image-manifest.ts';
import { smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

const { manifest } = smallImage('OS-SRV-1A', somePassport(), { sequence: 1, previousManifestSha256: null });
type File = { name: string; bytes: number; sha256: string };
const files = manifest['files'] as File[];
const isManifest = (changes: object) => imageManifestSchema.safeParse({ ...manifest, ...changes }).success;

test.each(['../../keys/server.key', '/etc/shadow', 'a/b', '..', '.hidden', ''])(
  'a file called %j is in no image',
  (name) => {
    expect(isManifest({})).toBe(true);
    expect(isManifest({ files: [...files, { ...files[0], name }] })).toBe(false);
    const [disk] = manifest['disks'] as object[];
    expect(isManifest({ disks: [{ ...disk, diskIndex: name }] })).toBe(false);
  },
);

test('a file that is listed twice could be two things', () => {
  expect(isManifest({ files: [...files, { ...files[0], bytes: 1 }] })).toBe(false);
});
