import { expect, test } from 'vitest';
import type { HookResult } from '#contract/hook-result.ts';
import { readStepAnswer } from '#pxe-server/hooks/step-answer.ts';

const step = (output: string, outcome: 'done' | 'failed' = 'done') => ({
  hook: 'mark',
  result: { outcome, sentence: 'as the exit code says' } as HookResult,
  evidence: [{ name: 'output', value: output }],
  startedAt: '2026-11-20T02:00:00Z',
  seconds: 1,
});

test('the last line may be an answer of the contract', () => {
  const output =
    'looking\n{"result":{"outcome":"unverified","sentence":"Nobody can tell."},"evidence":[{"name":"a","value":"b"}]}\n\n';
  expect(readStepAnswer(step(output))).toEqual({
    result: { outcome: 'unverified', sentence: 'Nobody can tell.' },
    evidence: [
      { name: 'output', value: output },
      { name: 'a', value: 'b' },
    ],
  });
});

test.each([
  ['no JSON', 'all is well'],
  ['half of an answer', '{"result":{"outcome":"done"'],
  ['another JSON', '{"outcome":"done"}'],
  ['an answer that is not the last line', '{"result":{"outcome":"failed","sentence":"no"}}\nlater'],
])('%s: the exit code counts', (_what, output) => {
  expect(readStepAnswer(step(output, 'failed')).result).toEqual({
    outcome: 'failed',
    sentence: 'as the exit code says',
  });
});
