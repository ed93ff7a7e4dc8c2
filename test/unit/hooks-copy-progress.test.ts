import { expect, test } from 'vitest';
import { progressInWords } from '#runtime/hooks/domain/copy-progress.ts';
import { locateDrive } from '#runtime/hooks/windows/inspection/locate-drive.ts';
import type { PlacedVolume } from '#runtime/hooks/windows/inspection/locate-windows.ts';

test('long work says every ten seconds how far it is, its rate and the time left', () => {
  let now = 1000;
  const said: string[] = [];
  const progress = progressInWords(
    'Copying',
    100 << 20,
    (sentence) => said.push(sentence),
    () => now,
  );
  for (let second = 1; second <= 25; second += 1) {
    now += 1;
    progress(2 << 20);
  }
  expect(said).toEqual([
    'Copying: 20 MiB of 100 MiB, 2 MiB/s, 40 s left',
    'Copying: 40 MiB of 100 MiB, 2 MiB/s, 30 s left',
  ]);
});

test('a letter that two volumes have by what the registry remembers is nobody’s', () => {
  const place = (diskSignature: number): PlacedVolume =>
    ({
      disk: { table: { kind: 'mbr', diskSignature } },
      volume: { partition: { startByte: 1 << 20 } },
    }) as unknown as PlacedVolume;
  const remembered = { kind: 'mbr', diskSignature: 7, startByte: 1 << 20 } as const;
  expect(locateDrive('D:', remembered, [place(7), place(8)])).toMatchObject({ kind: 'found' });
  expect(locateDrive('D:', remembered, [place(7), place(7)])).toEqual({
    kind: 'not-found',
    why: '2 volumes are D: by what its registry remembers',
  });
  expect(locateDrive('D:', { ...remembered, startByte: 2 << 20 }, [place(7)])).toMatchObject({
    why: 'the volume D: is on none of the restored disks',
  });
});
