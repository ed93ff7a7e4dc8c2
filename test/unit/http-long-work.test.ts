import { expect, test } from 'vitest';
import { ok } from '#pxe-server/http/endpoint.ts';
import { createLongWork } from '#pxe-server/http/long-work.ts';

test('work that takes longer than the patience is asked for again, and runs once', async () => {
  const ask = createLongWork<string>('It looks.', 5);
  const { promise, resolve } = Promise.withResolvers<ReturnType<typeof ok<string>>>();
  let begun = 0;
  const work = () => {
    begun++;
    return promise;
  };
  const still = { kind: 'refused', status: 503, problem: { code: 'still-checking', message: 'It looks.' } };
  expect(await ask('job', work)).toMatchObject(still);
  expect(await ask('job', work)).toMatchObject(still);
  resolve(ok('done'));
  expect(await ask('job', work)).toEqual(ok('done'));
  expect(begun).toBe(1);
  // Its reply is given once: another restore looks anew.
  expect(await ask('job', work)).toEqual(ok('done'));
  expect(begun).toBe(2);
});

test('a failure is nobody’s reply: the next question starts anew', async () => {
  const ask = createLongWork<string>('It looks.', 5);
  await expect(ask('job', () => Promise.reject(new Error('the store is away')))).rejects.toThrow('away');
  expect(await ask('job', async () => ok('done'))).toEqual(ok('done'));
});
