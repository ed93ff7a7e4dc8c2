import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { imageManifestSchema } from '#images/format/image-manifest.ts';
import { systemStateManifestSchema } from '#images/format/system-state-manifest.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
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

/** Names of all fields, at any depth. */
function fieldsOf(schema: z.core.JSONSchema.BaseSchema): string[] {
  const parts = [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])].flat();
  const below = parts.filter((part) => typeof part === 'object');
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, part]) => [
      name,
      ...(typeof part === 'object' ? fieldsOf(part) : []),
    ]),
    ...below.flatMap(fieldsOf),
  ];
}

test.each([
  ['manifest', '## Manifest', '## Capture', imageManifestSchema, 40],
  ['passport', '## passport.json', '## Signature', hardwarePassportSchema, 40],
  ['system state', '## System states', '## Threats', systemStateManifestSchema, 8],
])('the specification names every field: %s', (_, from, to, schema, atLeast) => {
  const text = readFileSync(path.join(import.meta.dirname, '../../images/README.md'), 'utf8');
  const section = text.slice(text.indexOf(from), text.indexOf(to));
  const named = new Set(
    [...section.matchAll(/`([a-zA-Z0-9.[\]]+)`/g)].flatMap(([, name = '']) => name.split(/[.[\]]+/)),
  );
  const fields = fieldsOf(z.toJSONSchema(schema, { io: 'input' }));
  expect(fields.length).toBeGreaterThan(atLeast);
  expect(fields.filter((name) => !named.has(name))).toEqual([]);
});
