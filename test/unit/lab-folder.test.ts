import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openLabFolder } from '#scripts/rehearsal/lab-folder.ts';

test('every lab has a folder of its own; what a killed one left goes, what others use stays', async () => {
  const state = mkdtempSync(join(tmpdir(), 'labs-'));
  onTestFinished(() => rmSync(state, { recursive: true, force: true }));
  // No process has a number above the kernel's limit of 2^22.
  for (const name of ['lab-4194305-abcdef', 'lab-1-abcdef', 'demo-station', 'cache'])
    mkdirSync(join(state, name));
  const first = await openLabFolder(state);
  await using second = await openLabFolder(state);

  expect(first.path).not.toBe(second.path);
  const there = (name: string) => existsSync(join(state, name));
  expect(['lab-4194305-abcdef', 'lab-1-abcdef', 'demo-station', 'cache'].map(there)).toEqual([
    false,
    true,
    true,
    true,
  ]);
  await first[Symbol.asyncDispose]();
  expect([existsSync(first.path), existsSync(second.path)]).toEqual([false, true]);
});
