import { access, constants } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import type { Tool } from '#base/run-tool.ts';
import type { Hook, HookPlan } from '#contract/hook.ts';
import { readDomainSettings } from '../domain/domain-settings.ts';
import { offlineJoinTool } from '../domain/offline-join.ts';
import { eventLogTool } from '../domain/read-event-log.ts';
import { readHookPlan } from '../hooks/read-hook-plan.ts';
import { siteExecutable } from '../hooks/site-hook.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { Station } from '../stations/station.ts';
import type { WantedState } from './check-system-states.ts';
import { type Finding, problem, well } from './finding.ts';

/** A program that a hook of some plan starts on this computer. */
export interface WantedTool extends Tool {
  readonly verdict: 'warning' | 'problem';
}

export interface ExaminedPlans {
  readonly findings: readonly Finding[];
  readonly wanted: readonly WantedTool[];
  readonly wantedStates: readonly WantedState[];
}

const check = 'hook plans';

/** Every station's hook plan and the files that it names, as its next restore will want them. Asks no domain. */
export async function checkHookPlans(
  paths: SitePaths,
  stations: readonly Pick<Station, 'name' | 'role'>[],
): Promise<ExaminedPlans> {
  const findings: Finding[] = [];
  const hooks: Hook[] = [];
  const wantedStates: WantedState[] = [];
  for (const station of stations) {
    const plan = await readPlan(paths, station);
    if ('verdict' in plan) {
      findings.push(plan);
      continue;
    }
    hooks.push(...plan.hooks);
    for (const hook of plan.hooks) {
      findings.push(...(await checkFiles(paths, station.name, hook)));
      if (hook.kind !== 'domain-controller' || hook.systemState.from !== 'backup-in-store') continue;
      wantedStates.push({ station: station.name, version: hook.systemState.version });
    }
  }
  if (findings.length === 0 && hooks.length > 0) {
    findings.push(well(check, 'Hook plans are right, and the files that they name are there.'));
  }
  return { findings, wanted: wantedTools(hooks), wantedStates };
}

async function readPlan(
  paths: SitePaths,
  station: Pick<Station, 'name' | 'role'>,
): Promise<HookPlan | Finding> {
  try {
    return await readHookPlan(paths, station);
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return problem(check, error.message, error.next ?? 'Let this user read it.');
  }
}

async function checkFiles(paths: SitePaths, station: string, hook: Hook): Promise<Finding[]> {
  if ('directory' in hook) {
    try {
      await readDomainSettings(hook.directory, paths.folder);
      return [];
    } catch (error) {
      if (!(error instanceof RekindleError)) throw error;
      const sentence = `The hook ${hook.id} of ${station} cannot ask its domain. ${error.message}.`;
      return [problem(check, sentence, error.next ?? 'Correct `directory` in the plan.')];
    }
  }
  if (hook.kind !== 'site') return [];
  const file = siteExecutable(paths.folder, hook.executable);
  // Only the preflight runs on this computer; the other phases get a copy.
  const mode = hook.phases.includes('preflight') ? constants.R_OK | constants.X_OK : constants.R_OK;
  return access(file, mode).then(
    () => [],
    () => [
      problem(
        check,
        `The hook ${hook.id} of ${station} cannot run: ${file} is not there or not executable.`,
        `Put it there (chmod 755), or take ${hook.id} out of the plan.`,
      ),
    ],
  );
}

/** Without the event log a proof says less; without the blob no station rejoins. */
function wantedTools(hooks: readonly Hook[]): WantedTool[] {
  const joins = hooks.some((hook) => hook.kind === 'domain-rejoin' && hook.method === 'offline-join');
  const controllers = hooks.some((hook) => hook.kind === 'domain-controller');
  return [
    ...(joins ? [{ ...offlineJoinTool, verdict: 'problem' } as const] : []),
    ...(controllers ? [{ ...eventLogTool, verdict: 'warning' } as const] : []),
  ];
}
