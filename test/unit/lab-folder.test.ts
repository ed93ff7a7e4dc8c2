import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openLabFolder } from '#scripts/rehearsal/lab-folder.ts';

test('every lab has a folder of its own; what a killed one or an earlier version left goes, what others use stays', async () => {
  const state = mkdtempSync(join(tmpdir(), 'labs-'));
  onTestFinished(() => rmSync(state, { recursive: true, force: true }));
  // No process has a number above the kernel's limit of 2^22.
  const left = ['lab-4194305-abcdef', 'lab-bios', 'lab-uefi', 'boot-lab-proxy', 'boot-lab-reservation'];
  const used = ['lab-1-abcdef', 'demo-station', 'cache', 'boot-lab-notes'];
  for (const name of [...left, ...used]) mkdirSync(join(state, name));
  const first = await openLabFolder(state);
  await using second = await openLabFolder(state);

  expect(first.path).not.toBe(second.path);
  const there = (name: string) => existsSync(join(state, name));
  expect(left.filter(there)).toEqual([]);
  expect(used.filter(there)).toEqual(used);
  await first[Symbol.asyncDispose]();
  expect([existsSync(first.path), existsSync(second.path)]).toEqual([false, true]);
});
