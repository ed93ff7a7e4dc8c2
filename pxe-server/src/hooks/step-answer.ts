import type { FirstBootReport } from '#contract/first-boot.ts';
import { executableAnswerSchema } from '#contract/hook-executable.ts';
import type { Evidence, HookResult } from '#contract/hook-result.ts';

type Step = FirstBootReport['steps'][number];

/**
 * A step that printed an answer of the JSON contract as its last line has said itself how it ended; otherwise its
 * exit code did. The agent on the station does not read JSON: it only looks whether the answer says `failed`.
 */
export function readStepAnswer(step: Step): { readonly result: HookResult; readonly evidence: Evidence[] } {
  const said = { result: step.result, evidence: step.evidence };
  if (step.result.outcome !== 'done' && step.result.outcome !== 'failed') return said;
  const output = step.evidence.find(({ name }) => name === 'output')?.value ?? '';
  const line = output.split('\n').findLast((each) => each.trim() !== '');
  if (line?.startsWith('{') !== true) return said;
  const parsed = executableAnswerSchema.safeParse(parseJson(line));
  if (!parsed.success || parsed.data.result === undefined) return said;
  return { result: parsed.data.result, evidence: [...step.evidence, ...parsed.data.evidence] };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
