import { Command } from 'commander';
import { hookPlanFile, readHookPlan } from '#pxe-server/hooks/read-hook-plan.ts';
import { titleOfHook } from '#pxe-server/hooks/run-preflight.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { type SiteOption, withSite } from '../../site-option.ts';

export function showCommand(): Command {
  return withSite(new Command('show'))
    .description("check a station's hook plan and print it")
    .argument('<station>', 'name of the station')
    .option('--json', 'as JSON')
    .action(show);
}

async function show(name: string, options: SiteOption & { readonly json?: boolean }): Promise<void> {
  const paths = sitePaths(options.site);
  const state = openState(paths.state);
  try {
    const plan = await readHookPlan(paths, getStation(state, name));
    if (options.json === true) return console.log(JSON.stringify(plan, null, 2));
    console.log(`${plan.station} (${plan.stationRole}): ${hookPlanFile(paths, plan.station)}`);
    if (plan.hooks.length === 0) {
      console.log('  no hooks. recovery-runtime/src/hooks/README.md says what such a file may hold.');
    }
    for (const hook of plan.hooks) {
      const after = hook.after.length === 0 ? '' : `, after ${hook.after.join(', ')}`;
      console.log(`  ${hook.id.padEnd(12)} ${titleOfHook(hook)} (${hook.kind}${after})`);
    }
  } finally {
    state.close();
  }
}
