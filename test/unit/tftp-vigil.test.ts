import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { keepVigil } from '#pxe-server/tftp/vigil.ts';

const isAwake = () => process.getActiveResourcesInfo().includes('Immediate');

test('the event loop stays awake for a prompt client only, and falls asleep by itself', async () => {
  const vigil = keepVigil(() => true);
  vigil.spoke();
  expect(isAwake()).toBe(true);
  await sleep(50);
  expect(isAwake()).toBe(false);
  // The answer took 50 ms: nothing is won by staying awake.
  vigil.heard();
  vigil.spoke();
  expect(isAwake()).toBe(false);
  vigil.heard();
  vigil.spoke();
  expect(isAwake()).toBe(true);
  await sleep(50);
});

test('not while there are others', () => {
  keepVigil(() => false).spoke();
  expect(isAwake()).toBe(false);
});
