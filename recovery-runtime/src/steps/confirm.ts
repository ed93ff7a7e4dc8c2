import { RekindleError } from '#base/errors.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { wrap } from '../console/layout.ts';
import { hookLines, planScreen, type ScreenDisk } from '../console/screens.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import type { Confirmed, Confirming } from '../engine/confirmed.ts';
import { readingStep } from '../engine/step.ts';
import { askLine } from './ask.ts';
import { type IdentityAccepted, replacedPartsOf } from './check-identity.ts';
import { recognition } from './choose-disks.ts';
import { describePartition } from './lost-partitions.ts';
import type { PlannedDisk } from './plan-restore.ts';

/** Somebody who walked away did not confirm. */
const timeoutSeconds = 15 * 60;

export interface Shown {
  readonly terminal: Terminal;
  readonly station: StationName;
  readonly identity: IdentityAccepted;
  readonly planned: readonly PlannedDisk[];
  /** Of the image. */
  readonly capturedAt: string;
  /** Of the hooks' preflight. */
  readonly hooks: readonly HookRecord[];
}

export type ConfirmAnswer =
  | { readonly kind: 'confirmed'; readonly confirmed: Confirmed }
  /** The person wants to restore something else of the image. */
  | { readonly kind: 'other-volumes' };

export function showPlan({ terminal, identity, planned, hooks }: Shown): void {
  terminal.print(hookLines(hooks));
  terminal.print(planScreen(identity.differences, planned.map(toScreenDisk)));
}

function toScreenDisk({ target, plan, lost }: PlannedDisk): ScreenDisk {
  const { model, serial, wwn, sizeBytes, slot } = target.disk.passportDisk;
  return {
    number: target.image.number,
    model,
    serial,
    wwn,
    sizeBytes,
    slot,
    recognised: recognition[target.recognisedBy],
    ranges: [
      ...plan.restored.map((range) => ({ ...range, fate: 'overwritten' as const })),
      ...plan.kept.map((range) => ({ ...range, fate: 'kept' as const })),
    ],
    warnings: plan.warnings,
    lost: lost.map((partition) => ({ what: describePartition(partition), sizeBytes: partition.sizeBytes })),
  };
}

/**
 * The plan is on the screen; the station's name, typed in full, starts the restore. Where living data volumes are
 * overwritten, which nobody gets without having asked for it, a second word says that this is meant.
 */
export const confirmByName = readingStep<Shown & { readonly technician: string }, ConfirmAnswer>({
  id: 'confirm',
  title: titles.confirm,
  async run(shown) {
    const { terminal, station, technician, identity } = shown;
    showPlan(shown);
    terminal.print(wrap(texts.otherVolumes));
    const doing = `asking for the confirmation of the restore of ${station}`;
    for (;;) {
      const typed = await askLine(terminal, { prompt: prompts.startRestore(station), timeoutSeconds }, doing);
      if (typed.trim() === station) break;
      if (typed.trim().toUpperCase() === 'VOLUMES')
        return { value: { kind: 'other-volumes' }, sentence: texts.otherVolumesWanted };
      terminal.print(wrap(texts.wrongName(typed, station)));
    }
    await confirmOverwrittenData(shown, doing);
    const confirmed = { how: 'typed', by: technician, station, replacedParts: replacedPartsOf(identity) };
    return {
      value: { kind: 'confirmed', confirmed: confirmed as unknown as Confirmed },
      sentence: texts.confirmedByName(station),
    };
  },
});

async function confirmOverwrittenData(
  { terminal, planned, capturedAt }: Shown,
  doing: string,
): Promise<void> {
  const data = planned.flatMap(({ plan }) => plan.overwrittenData.map(({ what }) => what));
  if (data.length === 0) return;
  terminal.print(['', ...wrap(texts.overwritesData(data, capturedAt))]);
  for (;;) {
    const typed = await askLine(terminal, { prompt: prompts.overwriteData, timeoutSeconds }, doing);
    if (typed.trim().toUpperCase() === 'OVERWRITE') return;
    terminal.print(wrap(texts.notOverwrite(typed)));
  }
}

/**
 * The station was armed for this image: the plan is shown, nothing is asked. Whoever armed it could not know of a
 * partition that the image does not have, so such a disk waits for a person; so does a replaced part, unless it was
 * armed with that in mind.
 * @throws RekindleError `target-unfit`
 */
export const confirmByArming = readingStep<
  Shown & { readonly by: Confirming & { readonly how: 'armed' } },
  Confirmed
>({
  id: 'confirm',
  title: titles.confirm,
  async run(shown) {
    showPlan(shown);
    const { station, identity, by, planned } = shown;
    const lost = planned.flatMap((disk) => disk.lost.map(describePartition));
    if (lost.length > 0) {
      throw new RekindleError('target-unfit', `restoring ${station} without a person in front of it`, {
        cause: new Error(`the restore would overwrite ${lost.join(', ')}, of which the image knows nothing`),
        next: `Disarm the station (rekindle station disarm ${station}), log on here and decide; or take the disk out.`,
      });
    }
    const replacedParts = replacedPartsOf(identity);
    if (replacedParts.length > 0 && !by.acceptsReplaced) {
      throw new RekindleError('target-unfit', `restoring ${station} without a person in front of it`, {
        cause: new Error(
          `replaced since it was registered, and confirmed by nobody: ${replacedParts.join(', ')}`,
        ),
        next:
          `Arm the station again with --accept-replaced; or disarm it (rekindle station disarm ${station}), ` +
          'log on here and confirm.',
      });
    }
    const undecided = shown.hooks.flatMap(({ plan }) => plan.filter(({ kind }) => kind === 'needs-person'));
    if (undecided.length > 0) {
      throw new RekindleError('target-unfit', `restoring ${station} without a person in front of it`, {
        cause: new Error(undecided.map(({ sentence }) => sentence).join(' ')),
        next: `Disarm the station (rekindle station disarm ${station}), log on here and decide.`,
      });
    }
    const confirmed = { how: 'armed', by: by.name, station, replacedParts };
    return { value: confirmed as unknown as Confirmed, sentence: texts.confirmedByArming(by.name) };
  },
});
