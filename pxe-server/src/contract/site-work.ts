import type { HookOf } from './hook.ts';
import { type ExecutableAnswer, type ExecutableQuestion, executableAnswerSchema } from './hook-executable.ts';
import type { Evidence, HookPhase, HookRecord } from './hook-result.ts';
import type { HookWork } from './hook-work.ts';

/** What an executable said: how it is started is the caller's. */
export interface ExecutableRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SiteWorkContext {
  readonly hook: HookOf<'site'>;
  readonly phase: HookPhase;
  readonly image: ExecutableQuestion['image'];
  readonly station: string;
  readonly root: string | null;
  readonly earlier: readonly HookRecord[];
  execute(question: ExecutableQuestion): Promise<ExecutableRun>;
}

/** A site's own hook in any phase, by the contract of hook-executable.ts. */
export const siteWork: HookWork<SiteWorkContext, ExecutableAnswer> = {
  async precondition() {
    return { kind: 'ready' };
  },
  async plan(context) {
    const { answer, evidence } = await ask(context, 'plan');
    return { lines: answer.plan, planned: answer, evidence };
  },
  async apply(context, planned) {
    if (planned.result !== undefined) return;
    const { answer } = await ask(context, 'apply');
    if (answer.result?.outcome === 'failed') throw new Error(answer.result.sentence);
  },
  async verify(context, planned) {
    // Not ready, or nothing to do: it said so when it was asked for its plan.
    if (planned.result !== undefined) return { result: planned.result, evidence: [] };
    const { answer, evidence } = await ask(context, 'verify');
    const { result } = answer;
    if (result === undefined)
      throw new Error(`${context.hook.executable} verify: its answer has no \`result\``);
    return { result, evidence };
  },
};

async function ask(
  { hook, phase, image, station, root, earlier, execute }: SiteWorkContext,
  operation: ExecutableQuestion['operation'],
): Promise<{ answer: ExecutableAnswer; evidence: Evidence[] }> {
  const { status, stdout, stderr } = await execute({
    formatVersion: 1,
    operation,
    phase,
    hook: hook.id,
    station,
    image,
    settings: hook.settings,
    root,
    earlier: [...earlier],
  });
  const what = `${hook.executable} ${operation}`;
  const said = tail(stderr);
  if (status !== 0)
    throw new Error(`${what} ended with exit code ${status}${said === '' ? '' : `: ${said}`}`);
  if (stdout.trim() === '') throw new Error(`${what} answered nothing`);
  const parsed = executableAnswerSchema.safeParse(parseJson(stdout));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(
      `${what}: its answer is not what it should be: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
    );
  }
  const { evidence } = parsed.data;
  return {
    answer: parsed.data,
    evidence: said === '' ? evidence : [...evidence, { name: `${what}, standard error`, value: said }],
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const keptCharacters = 2000;

function tail(text: string): string {
  return text.trim().slice(-keptCharacters);
}
