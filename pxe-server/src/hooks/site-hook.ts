import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import type { HookWork } from '#contract/hook-work.ts';
import { siteWork } from '#contract/site-work.ts';
import type { ServerHook, ServerHookContext } from './server-hook.ts';

/** A site's own hook: run here for preflight, handed to the runtime for the later phases. */
export const siteHook: ServerHook<'site'> = {
  kind: 'site',
  title: ({ title }) => title,
  preflight: {
    async precondition(context) {
      // Absent is found out now, also for a hook that only works later.
      await readExecutable(context);
      return { kind: 'ready' };
    },
    async plan(context) {
      if (!context.hook.phases.includes('preflight'))
        return { lines: [laterLine(context)], planned: undefined };
      const planned = await siteWork.plan(onServer(context));
      return { ...planned, planned: planned.planned };
    },
    async verify(context, planned) {
      if (!context.hook.phases.includes('preflight')) {
        return {
          result: { outcome: 'done', sentence: `${context.hook.executable} is there.` },
          evidence: [],
        };
      }
      return siteWork.verify(onServer(context), planned as Parameters<typeof siteWork.verify>[1]);
    },
  } satisfies HookWork<ServerHookContext<'site'>>,
  async provide(context) {
    const { hook } = context;
    if (!hook.phases.some((phase) => phase !== 'preflight')) return [];
    return [{ name: hook.executable, bytes: await readExecutable(context), secret: false }];
  },
};

function laterLine({ hook }: ServerHookContext<'site'>): { kind: 'change'; sentence: string } {
  const where = { preflight: 'here', offline: 'on the restored disks', 'first-boot': 'at the first start' };
  return {
    kind: 'change',
    sentence: `${hook.title}: ${hook.executable} runs ${hook.phases.map((phase) => where[phase]).join(' and ')}.`,
  };
}

/** Where a site keeps its own hook. */
export function siteExecutable(siteFolder: string, executable: string): string {
  return join(siteFolder, 'hooks', 'bin', executable);
}

function pathOf({ hook, siteFolder }: ServerHookContext<'site'>): string {
  return siteExecutable(siteFolder, hook.executable);
}

async function readExecutable(context: ServerHookContext<'site'>): Promise<Buffer> {
  const file = pathOf(context);
  return readFile(file).catch((cause: unknown) => {
    throw new RekindleError('usage', `Reading the site's own hook ${file}`, {
      cause,
      next: 'Put the executable there, or take the hook out of the plan.',
    });
  });
}

function onServer(context: ServerHookContext<'site'>): Parameters<typeof siteWork.plan>[0] {
  const { hook, image, plan, earlier, signal } = context;
  const { capturedAt, stationRole } = image.manifest;
  return {
    hook,
    phase: 'preflight',
    station: plan.station,
    image: { ref: image.ref, capturedAt, stationRole },
    root: null,
    earlier,
    async execute(question) {
      const file = pathOf(context);
      const ran = await callTool(`running ${file}`, { command: file, debianPackage: 'the site' }, [], {
        input: Buffer.from(JSON.stringify(question)),
        signal,
        // Nothing of the service's own environment.
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      return { status: ran.status, stdout: ran.stdout.toString('utf8'), stderr: ran.stderr };
    },
  };
}
