import { expect, test } from 'vitest';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import { type SystemStateManifest, systemStateManifestSchema } from '#images/format/system-state-manifest.ts';
import { roomForFiles } from '#images/format/system-state-room.ts';
import { judgeSystemState, type SystemStateFacts } from '#pxe-server/domain/judge-system-state.ts';

const gib = 2 ** 30;
const manifest: SystemStateManifest = systemStateManifestSchema.parse({
  ...{ formatVersion: 1, station: 'DC1', computerName: 'DC1' },
  ...{ takenAt: '2026-11-20T02:00:00Z', version: '11/20/2026-02:00' },
  files: [{ path: 'Backup 2026-11-20 020000/a.vhdx', bytes: 8 * gib, sha256: '0'.repeat(64) }],
});
const volume = (more: Partial<Volume> = {}): Volume => ({
  ...{ number: 1, startByte: 1 << 20, sizeBytes: 100 * gib, usedBytes: 40 * gib },
  ...{ partitionType: '07', name: '', fileSystem: 'ntfs', capturedAs: 'used-blocks', role: 'data' },
  ...more,
});
const imageWith = (...volumes: Volume[]): SystemStateFacts['image'] => ({
  computerName: 'dc1',
  capturedAt: '2026-11-21T02:00:00.000Z',
  disks: [{ volumes } as unknown as ImageDisk],
});
const facts: SystemStateFacts = {
  ...{ manifest, missing: [], drive: 'D:', tombstoneLifetimeDays: 60 },
  image: imageWith(volume()),
  now: new Date('2026-11-30T02:00:00Z'),
};
const judge = (more: Partial<SystemStateFacts> = {}) => judgeSystemState({ ...facts, ...more });

test('a usable one is shown with version, age, size and drive before anything is written', () => {
  expect(judge()).toEqual({
    kind: 'usable',
    lines: [
      {
        kind: 'change',
        sentence:
          'The system state of 11/20/2026-02:00 UTC (10 days old, 8 GiB, its signature is right) is copied from the store to D: before it starts.',
      },
    ],
  });
});

test.each<[string, Partial<SystemStateFacts>, RegExp, RegExp]>([
  [
    'files that the store lacks',
    { missing: ['a.vhdx is not there', 'MediaId has 3 bytes instead of 6'] },
    /is not whole: a\.vhdx is not there and 1 more$/,
    /system-state add/,
  ],
  [
    'another computer',
    { image: { ...facts.image, computerName: 'DC2' } },
    /is one of DC1, and the image is one of DC2/,
    /Add a system state of DC2/,
  ],
  [
    'older than the forest remembers',
    { tombstoneLifetimeDays: 10 },
    /is 10 days old, and the forest forgets deleted objects after 10: .*lingering/,
    /Add a newer one/,
  ],
  [
    'no room on any NTFS volume',
    { image: imageWith(volume({ usedBytes: 93 * gib }), volume({ fileSystem: 'ext4' })) },
    /No NTFS volume of the image has room .*: 8\.\d GiB are needed, the most that one has is 7 GiB/,
    /plugged into the station .*`systemState: \{ from: backup/,
  ],
  ['no NTFS volume at all', { image: imageWith() }, /the most that one has is 0 bytes/, /from: backup/],
])('refused: %s', (_, more, why, next) => {
  expect(judge(more)).toEqual({
    kind: 'refused',
    why: expect.stringMatching(why),
    next: expect.stringMatching(next),
  });
});

test('the day before the forest forgets it is usable still', () => {
  expect(judge({ tombstoneLifetimeDays: 11 }).kind).toBe('usable');
});

test('the volume of Windows is warned of as the place of the copy', () => {
  expect(judge({ drive: 'C:' })).toMatchObject({
    lines: [{}, { kind: 'warning', sentence: expect.stringMatching(/^C: .*never tried/) }],
  });
});

test('a volume whose use is not known may have room; an image of another time is warned of', () => {
  const warnings = (more: Partial<SystemStateFacts>) => {
    const verdict = judge(more);
    return verdict.kind === 'usable'
      ? verdict.lines.filter(({ kind }) => kind === 'warning').map(({ sentence }) => sentence)
      : verdict;
  };
  const unknown = volume({ capturedAs: 'all-blocks', usedBytes: 100 * gib });
  expect(warnings({ image: imageWith(unknown, volume({ usedBytes: 99 * gib })) })).toEqual([
    expect.stringMatching(/^How much room D: has is seen only when .* 8\.\d GiB are needed/),
  ]);
  expect(warnings({ image: { ...facts.image, capturedAt: '2026-12-21T02:00:00Z' } })).toEqual([
    expect.stringMatching(/^The system state is 31 days older than the image/),
  ]);
  expect(warnings({ image: { ...facts.image, capturedAt: '2026-10-01T02:00:00Z' } })).toEqual([
    expect.stringMatching(/^The system state is 50 days newer than the image/),
  ]);
});

test('room is for whole clusters, records and something to spare', () => {
  expect(roomForFiles([{ bytes: 0 }])).toBeGreaterThan(16 << 20);
  expect(roomForFiles(manifest.files)).toBeGreaterThan(8.07 * gib);
  const small = Array.from({ length: 1000 }, () => ({ bytes: 1 }));
  expect(roomForFiles(small)).toBeGreaterThan(64 * 1000 * 1024);
});
