import type { HookRecord } from '#contract/hook-result.ts';
import type { Terminal } from './console/terminal.ts';
import type { Confirmed, Confirming } from './engine/confirmed.ts';
import type { Run } from './engine/run.ts';
import type { OwnDiskMedium } from './medium/own-disk-medium.ts';
import type { RestoreScope } from './restore/restore-scope.ts';
import type { IdentityAccepted } from './steps/check-identity.ts';
import type { TargetDisks } from './steps/choose-disks.ts';
import { chooseVolumes } from './steps/choose-volumes.ts';
import { confirmByArming, confirmByName, showPlan } from './steps/confirm.ts';
import { askAboutLostData, refuseLostData } from './steps/decide-lost-data.ts';
import type { SignedImage } from './steps/open-job.ts';
import { type PlannedDisk, planRestoreOfDisks } from './steps/plan-restore.ts';
import { preFlight } from './steps/pre-flight.ts';

export interface PlanningInput {
  readonly run: Run;
  readonly terminal: Terminal;
  readonly image: SignedImage;
  readonly identity: IdentityAccepted;
  readonly disks: TargetDisks;
  readonly scope: RestoreScope;
  readonly dryRun: boolean;
  readonly by: Confirming;
  readonly hooks: readonly HookRecord[];
  /** Throws where the plan may not be carried out: nobody is asked to type a name in vain. */
  judge(planned: readonly PlannedDisk[]): void;
  readonly startedFrom?: OwnDiskMedium | undefined;
}

export type Planning =
  | { readonly kind: 'dry-run'; readonly planned: readonly PlannedDisk[] }
  | { readonly kind: 'confirmed'; readonly planned: readonly PlannedDisk[]; readonly confirmed: Confirmed };

/** Plan, pre-flight and confirmation, again from the plan when the person chooses other volumes. Writes nothing. */
export async function planAndConfirm(input: PlanningInput): Promise<Planning> {
  const { run, terminal, image, identity, disks, dryRun, by, hooks, startedFrom } = input;
  const { station, disks: imageDisks, capturedAt } = image.manifest;
  const decideLostData =
    by.how === 'typed'
      ? askAboutLostData(terminal, capturedAt)
      : refuseLostData(`Disarm the station (rekindle station disarm ${station}), log on here and decide.`);
  let { scope } = input;
  for (;;) {
    const planned = await run.step(planRestoreOfDisks, { image, disks, scope, decideLostData, startedFrom });
    input.judge(planned);
    await run.step(preFlight, { source: image.source, planned });
    const shown = { terminal, station, identity, planned, capturedAt, hooks };
    if (dryRun) {
      showPlan(shown);
      return { kind: 'dry-run', planned };
    }
    if (by.how === 'armed') {
      const confirmed = await run.step(confirmByArming, { ...shown, by });
      return { kind: 'confirmed', planned, confirmed };
    }
    const answer = await run.step(confirmByName, { ...shown, technician: by.name });
    if (answer.kind === 'confirmed') return { ...answer, planned };
    scope = await run.step(chooseVolumes, { terminal, imageDisks });
  }
}
