import { gateByVersion, rulesFor } from '#contract/pcs7-version.ts';
import type { OfflineContext, OfflineHook } from '../offline-hook.ts';
import { clearScriptFile, clearStepFile, formatSqlcmdStep } from './sqlcmd-step.ts';
import { type CleanupMode, formatStationScript } from './station-script.ts';

type Context = OfflineContext<'sql-management-data'>;

/** SQL Server may take minutes to recover its databases after a start. */
const retrySeconds = 15;
const tries = 60;

/** Hands the clean-up on to the first boot: what databases there are, only the running instance knows. */
export const sqlManagementData: OfflineHook<'sql-management-data'> = {
  kind: 'sql-management-data',
  offline: {
    async precondition({ hook, system }) {
      const gate = gateByVersion(hook.pcs7);
      if (gate.kind === 'skip') return { kind: 'skip', reason: `${gate.why}.` };
      if (system.kind === 'unknown')
        return { kind: 'refuse', sentence: `The restored system could not be opened: ${system.reason}.` };
      if (system.kind === 'linux')
        return { kind: 'refuse', sentence: 'The restored system is no Windows: it has no WinCC.' };
      const instances = system.facts?.sqlInstances;
      if (instances === undefined || instances.some((name) => sameName(name, hook.instance)))
        return { kind: 'ready' };
      return {
        kind: 'refuse',
        sentence: `The restored Windows has no instance ${hook.instance} of SQL Server, but ${instances.join(', ') || 'none at all'}.`,
        next: 'Correct `instance` in the hook plan of this station.',
      };
    },
    async plan({ hook }) {
      const mode = modeOf(hook.pcs7);
      const sentence =
        mode === 'apply'
          ? `At the first start sqlcmd clears the management data of instance ${hook.instance}.`
          : `At the first start sqlcmd lists the management data of instance ${hook.instance}; nothing is changed.`;
      return { planned: undefined, lines: [{ kind: 'change', sentence }] };
    },
    apply: async (context) => stage(context),
    async verify({ hook }) {
      const sentence = `The databases of instance ${hook.instance} are looked at when the station has started.`;
      return { result: { outcome: 'staged', sentence }, evidence: [] };
    },
  },
};

function stage({ hook, stage: firstBoot }: Context): void {
  const script = formatStationScript(rulesFor(hook.pcs7), modeOf(hook.pcs7));
  // sqlcmd takes a file with a mark for Unicode, without one for the station's code page.
  firstBoot.addFile({
    name: clearScriptFile,
    bytes: Buffer.from(`\ufeff${script.replaceAll('\n', '\r\n')}`, 'utf16le'),
  });
  firstBoot.addFile({
    name: clearStepFile,
    bytes: Buffer.from(formatSqlcmdStep(hook.instance)),
    executable: true,
  });
  firstBoot.addStep({ command: clearStepFile, retrySeconds, tries });
}

const modeOf = (version: string | undefined): CleanupMode =>
  gateByVersion(version).kind === 'run' ? 'apply' : 'list';

const sameName = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase();
