import { gateByVersion } from '#contract/pcs7-version.ts';
import { judgeCleanup, parseCleanupLines } from '#contract/sql-results.ts';
import type { ServerHook } from './server-hook.ts';

/** Before the restore: whether the clean-up is right for this station. After it: what its lines mean. */
export const sqlManagementDataHook: ServerHook<'sql-management-data'> = {
  kind: 'sql-management-data',
  title: ({ instance }) => `Management data of SQL Server ${instance}`,
  preflight: {
    async precondition({ hook, image }) {
      const gate = gateByVersion(hook.pcs7);
      if (gate.kind === 'skip') return { kind: 'skip', reason: `${gate.why}.` };
      const instances = image.manifest.windows?.sqlInstances;
      const wanted = hook.instance.toUpperCase();
      if (instances === undefined || instances.some((name) => name.toUpperCase() === wanted))
        return { kind: 'ready' };
      return {
        kind: 'refuse',
        sentence: `The image has no instance ${hook.instance} of SQL Server, but ${instances.join(', ') || 'none at all'}.`,
        next: 'Correct `instance` in the hook plan of this station.',
      };
    },
    async plan({ hook }) {
      const gate = gateByVersion(hook.pcs7);
      if (gate.kind !== 'list-only') {
        const sentence = `Databases of old WinCC projects are detached from instance ${hook.instance}, those without files dropped.`;
        return { planned: undefined, lines: [{ kind: 'change', sentence }] };
      }
      const sentence = `The databases of instance ${hook.instance} are only listed, because ${gate.why}; set \`pcs7\` in the hook plan to clear them.`;
      return { planned: undefined, lines: [{ kind: 'warning', sentence }] };
    },
    async verify({ hook }) {
      const gate = gateByVersion(hook.pcs7);
      const sentence =
        gate.kind === 'list-only'
          ? `They are listed only: ${gate.why}.`
          : `PCS 7 ${hook.pcs7} leaves it to us.`;
      return { result: { outcome: 'done', sentence }, evidence: [] };
    },
  },
  async confirm(_context, reported) {
    const output = reported.evidence.find(({ name }) => name === 'output')?.value ?? '';
    return judgeCleanup(parseCleanupLines(output));
  },
};
