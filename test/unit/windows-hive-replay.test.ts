import { describe, expect, test } from 'vitest';
import { parseBaseBlock } from '#runtime/hooks/windows/hive/base-block.ts';
import { hiveDefect } from '#runtime/hooks/windows/hive/hive-bins.ts';
import { marvin32 } from '#runtime/hooks/windows/hive/marvin32.ts';
import { parseNewLog } from '#runtime/hooks/windows/hive/new-log.ts';
import { recoverHive } from '#runtime/hooks/windows/hive/recover-hive.ts';
import { emptyHive } from '#scripts/rehearsal/windows-station/empty-hive.ts';
import { dirtyWithNewLogs, dirtyWithOldLog } from '#scripts/rehearsal/windows-station/hive-logs.ts';

/** Where the empty hive has nothing: what a write there changes is seen, and breaks nothing. */
const freeAt = 4096 + 1024;
const nothing = Buffer.alloc(0);

function withText(hive: Buffer, text: string, at = freeAt): Buffer {
  const changed = Buffer.from(hive);
  changed.write(text, at, 'latin1');
  return changed;
}

/** With one more hive bin, as a hive grows. */
function grown(hive: Buffer): Buffer {
  const bin = Buffer.alloc(4096);
  const bytes = hive.readUInt32LE(40);
  bin.write('hbin', 0, 'latin1');
  bin.writeUInt32LE(bytes, 4);
  bin.writeUInt32LE(4096, 8);
  bin.writeInt32LE(4096 - 32, 32);
  const larger = Buffer.concat([hive, bin]);
  larger.writeUInt32LE(bytes + 4096, 40);
  return larger;
}

const textIn = (hive: Buffer, at = freeAt): string => hive.toString('latin1', at, at + 5);

test('Marvin32 of what an independent implementation was given', () => {
  const known: [string, bigint][] = [
    ['', 0xb39efca403966e08n],
    ['a', 0x21a013c726f292f4n],
    ['abcd', 0x20094fb11a6cd086n],
    ['HvLE and forty bytes, of which one is odd', 0x0c85bb5ce1eddb05n],
  ];
  for (const [text, hash] of known) expect(marvin32(Buffer.from(text)), text).toBe(hash);
});

describe('a hive that was left cleanly', () => {
  test('stays as it is, whatever its logs still hold', () => {
    const hive = emptyHive();
    const { log1, log2 } = dirtyWithNewLogs(hive, [withText(hive, 'later')]);
    expect(recoverHive({ primary: hive, log1, log2 })).toEqual({ kind: 'clean', hive });
  });

  test('is refused when it is cut off, has a hole, or has no root', () => {
    const refused = (primary: Buffer) => {
      const found = recoverHive({ primary, log1: nothing, log2: nothing });
      return found.kind === 'refused' ? found.why : found.kind;
    };
    expect(refused(emptyHive().subarray(0, 6000))).toBe('it is cut off: 6000 bytes of 8192 are there');
    expect(refused(Buffer.alloc(8192))).toBe('it does not begin like a registry hive');
    expect(refused(emptyHive().fill(0, 4096, 4100))).toBe('there is no hive bin at byte 4096');
    expect(refused(emptyHive().fill(0, 4128, 4136))).toBe('its root is no key');
  });
});

describe('a hive of Windows 7 in the middle of a write', () => {
  const before = emptyHive();
  const after = withText(grown(before), 'later');

  test('gets every page of its log, grows, and is whole', () => {
    const recovered = recoverHive(dirtyWithOldLog(before, after));
    if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
    expect(recovered.hive.subarray(4096)).toEqual(after.subarray(4096));
    expect(parseBaseBlock(recovered.hive)).toMatchObject({
      primarySequence: 2,
      secondarySequence: 2,
      hiveBinsBytes: 8192,
      fileType: 0,
      checksumRight: true,
    });
    expect(recovered.writes).toBe(1);
  });

  test('takes its head from the log when its own was torn', () => {
    const dirty = dirtyWithOldLog(before, after);
    dirty.primary.writeUInt32LE(0xffff, 508);
    const recovered = recoverHive(dirty);
    if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
    expect(hiveDefect(recovered.hive)).toBeNull();
    expect(textIn(recovered.hive)).toBe('later');
  });

  test('is refused with the log of another moment, an unfinished log, or none', () => {
    const refused = (change: (dirty: ReturnType<typeof dirtyWithOldLog>) => void) => {
      const dirty = dirtyWithOldLog(before, after);
      change(dirty);
      const recovered = recoverHive(dirty);
      return recovered.kind === 'refused' ? recovered.why : recovered.kind;
    };
    const otherMoment = dirtyWithOldLog(before, after).log1;
    otherMoment.writeBigUInt64LE(99n, 12);
    otherMoment.writeUInt32LE(otherMoment.readUInt32LE(508) ^ 99, 508);
    expect(refused((dirty) => otherMoment.copy(dirty.log1))).toBe(
      'Windows had not finished writing it, and its logs are of another moment',
    );
    const noLog = 'Windows had not finished writing it, and neither of its logs can be used';
    expect(refused((dirty) => dirty.log1.writeUInt32LE(1, 8))).toBe(noLog);
    expect(refused((dirty) => dirty.log1.fill(0))).toBe(noLog);
  });
});

describe('a hive of Windows 8.1 and later with unwritten logs', () => {
  const before = emptyHive();
  const steps = [
    withText(before, 'first'),
    withText(grown(before), 'third'),
    withText(grown(before), 'last '),
  ];

  test('gets the writes of both logs in their order, whichever is the older', () => {
    const dirty = dirtyWithNewLogs(before, steps);
    for (const files of [dirty, { ...dirty, log1: dirty.log2, log2: dirty.log1 }]) {
      const recovered = recoverHive(files);
      if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
      expect(recovered.writes).toBe(3);
      expect(textIn(recovered.hive)).toBe('last ');
      expect(parseBaseBlock(recovered.hive)).toMatchObject({ primarySequence: 4, secondarySequence: 4 });
      expect(hiveDefect(recovered.hive)).toBeNull();
    }
  });

  test('leaves out an entry that was not written to its end, and all after it', () => {
    const dirty = dirtyWithNewLogs(before, steps);
    const last = dirty.log2.lastIndexOf('HvLE');
    dirty.log2.writeUInt8(dirty.log2.readUInt8(last + 60) ^ 1, last + 60);
    const recovered = recoverHive(dirty);
    if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
    expect(recovered.writes).toBe(2);
    expect(textIn(recovered.hive)).toBe('third');
    expect(recovered.remark).toBe('an entry was not written to its end, which Windows leaves out too');
  });

  test('leaves out a log whose writes the file has already', () => {
    const dirty = dirtyWithNewLogs(before, steps);
    dirty.primary.writeUInt32LE(4, 4);
    dirty.primary.writeUInt32LE(3, 8);
    dirty.primary.writeUInt32LE(dirty.primary.readUInt32LE(508) ^ 2 ^ 4 ^ 1 ^ 3, 508);
    expect(parseBaseBlock(dirty.primary)?.checksumRight).toBe(true);
    // Log 1 begins with write 2, the file has all before 3: only log 2 counts.
    const recovered = recoverHive(dirty);
    if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
    expect(recovered.writes).toBe(2);
  });

  test('stops at a gap, and says so', () => {
    const dirty = dirtyWithNewLogs(before, steps);
    const later = dirtyWithNewLogs(before, [before, ...steps], 2).log2;
    const recovered = recoverHive({ ...dirty, log2: later });
    if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
    expect(recovered.writes).toBe(1);
    expect(recovered.remark).toBe('the newer log does not continue the older one and was left out');
  });

  test('with a torn head takes only the latest log, as Windows does', () => {
    const dirty = dirtyWithNewLogs(before, steps);
    dirty.primary.writeUInt32LE(0xffff, 508);
    const recovered = recoverHive(dirty);
    if (recovered.kind !== 'replayed') throw new Error(recovered.kind);
    expect(recovered.writes).toBe(2);
  });

  test('is refused with logs that hold nothing of it', () => {
    const dirty = dirtyWithNewLogs(before, steps);
    dirty.log1.fill(0, 512);
    dirty.log2.fill(0, 512);
    expect(recoverHive(dirty)).toMatchObject({
      kind: 'refused',
      why: 'Windows had not finished writing it, and its logs hold nothing that continues it',
    });
  });
});

test('two thousand damaged logs: an answer each, and never a hive that is not whole', () => {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const before = emptyHive();
  const after = withText(grown(before), 'later');
  const kinds = { clean: 0, replayed: 0, refused: 0 };
  for (let round = 0; round < 2000; round++) {
    const files =
      round % 2 === 0
        ? dirtyWithOldLog(before, after)
        : dirtyWithNewLogs(before, [withText(before, 'x'), after]);
    const target = [files.primary, files.log1, files.log2][random(3)];
    if (target !== undefined && target.length > 0) {
      const at = random(3) === 0 ? random(Math.min(600, target.length)) : random(target.length);
      target.writeUInt8(random(256), at);
    }
    const recovered = recoverHive(files);
    kinds[recovered.kind] += 1;
    if (recovered.kind !== 'refused') expect(hiveDefect(recovered.hive)).toBeNull();
  }
  expect(kinds.replayed).toBeGreaterThan(500);
  expect(kinds.refused).toBeGreaterThan(100);
});

test('an entry that claims more than its log holds is none', () => {
  const before = emptyHive();
  const { log1 } = dirtyWithNewLogs(before, [withText(before, 'first')]);
  log1.writeUInt32LE(1 << 30, 512 + 4);
  expect(parseNewLog(log1)).toMatchObject({ entries: [], endsBecause: 'an entry is cut off' });
});
