import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import type { ExecutableAnswer, ExecutableQuestion } from '#contract/hook-executable.ts';
import type { HookResult } from '#contract/hook-result.ts';
import type { HookWork } from '#contract/hook-work.ts';
import { type SiteWorkContext, siteWork } from '#contract/site-work.ts';
import type { OfflineContext, OfflineHook } from './offline-hook.ts';

type Context = OfflineContext<'site'>;
/** What the executable answered to `plan`; undefined when it has nothing to do in this phase. */
type Planned = ExecutableAnswer | undefined;

/** A site's own hook on the restored disks, and its way to the first boot (contract/hook-executable.ts). */
const offline: HookWork<Context, Planned> = {
  async precondition({ hook, system }) {
    if (hook.phases.every((phase) => phase === 'preflight'))
      return { kind: 'skip', reason: 'It works before the restore only.' };
    if (system.kind === 'unknown')
      return { kind: 'refuse', sentence: `The restored system cannot be reached: ${system.reason}.` };
    return { kind: 'ready' };
  },
  async plan(context) {
    const { hook } = context;
    const later = hook.phases.includes('first-boot')
      ? [{ kind: 'change' as const, sentence: `${hook.executable} runs at the first start.` }]
      : [];
    if (!hook.phases.includes('offline')) return { lines: later, planned: undefined };
    const planned = await withExecutable(context, (site) => siteWork.plan(site));
    return { ...planned, lines: [...planned.lines, ...later] };
  },
  async apply(context, planned) {
    if (planned !== undefined) await withExecutable(context, async (site) => siteWork.apply?.(site, planned));
    if (context.hook.phases.includes('first-boot')) stage(context);
  },
  async verify(context, planned) {
    const looked =
      planned === undefined
        ? undefined
        : await withExecutable(context, (site) => siteWork.verify(site, planned));
    if (looked !== undefined && ['failed', 'unverified'].includes(looked.result.outcome)) return looked;
    if (!context.hook.phases.includes('first-boot'))
      return looked ?? { result: { outcome: 'done', sentence: 'There was nothing to do.' }, evidence: [] };
    const result: HookResult = {
      outcome: 'staged',
      sentence: `${context.hook.executable} runs at the first start.`,
    };
    return { result, evidence: looked?.evidence ?? [] };
  },
};

export const siteHook: OfflineHook<'site'> = { kind: 'site', offline };

/** At the first boot it is asked once, to `apply`, and answers by exit code or by the contract's answer. */
function stage(context: Context): void {
  const { hook, stage: firstBoot, system } = context;
  const question: ExecutableQuestion = {
    ...questionBase(context),
    formatVersion: 1,
    operation: 'apply',
    phase: 'first-boot',
    settings: hook.settings,
    root: system.kind === 'windows' ? '%SystemDrive%\\' : '/',
    earlier: [],
  };
  const asked = `${hook.id}.question.json`;
  firstBoot.addFile({ name: hook.executable, bytes: executableOf(context), executable: true });
  firstBoot.addFile({ name: asked, bytes: Buffer.from(JSON.stringify(question)) });
  const prefix = system.kind === 'windows' ? '' : './';
  firstBoot.addStep({ command: `${prefix}${hook.executable} < ${asked}` });
}

function executableOf({ files, hook }: Context): Buffer {
  const file = files.find(({ hook: owner, name }) => owner === hook.id && name === hook.executable);
  if (file !== undefined) return Buffer.from(file.content, 'base64');
  throw new RekindleError('unexpected', `the service sent no file ${hook.executable} for hook ${hook.id}`);
}

function questionBase({ hook, manifest, ref }: Context) {
  const { station, capturedAt, stationRole } = manifest;
  return { hook: hook.id, station, image: { ref, capturedAt, stationRole } };
}

async function withExecutable<T>(context: Context, use: (site: SiteWorkContext) => Promise<T>): Promise<T> {
  const { hook, system, earlier, signal } = context;
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-site-hook-'));
  const command = join(folder, hook.executable);
  try {
    await writeFile(command, executableOf(context));
    await chmod(command, 0o700);
    const { station, image } = questionBase(context);
    return await use({
      hook,
      phase: 'offline',
      image,
      station,
      root: system.kind === 'unknown' ? null : system.root,
      earlier,
      async execute(question) {
        const doing = `running ${hook.executable}`;
        const tool = { command, debianPackage: 'the site' };
        const ran = await callTool(doing, tool, [], {
          input: Buffer.from(JSON.stringify(question)),
          signal,
          cwd: folder,
        });
        return { status: ran.status, stdout: ran.stdout.toString('utf8'), stderr: ran.stderr };
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
