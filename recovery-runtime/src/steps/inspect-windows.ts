import { statSync } from 'node:fs';
import { errorChain } from '#base/errors.ts';
import type { HookRecord, HookResult } from '#contract/hook-result.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { Finding } from '../hooks/windows/inspection/finding.ts';
import { type Inspection, summariseInspection } from '../hooks/windows/inspection/inspect-windows.ts';
import { inspectRestoredDisks } from '../hooks/windows/restored-windows.ts';
import type { PlannedDisk } from './plan-restore.ts';
import { restoresSystem } from './station-hooks.ts';

/**
 * Looks at a restored Windows once more before it is started, after the hooks have changed it. What is found stands
 * in the report as a hook's record, so that a Windows that cannot start ends in exit code 3 and is not started by
 * itself. Null: the image holds no Windows.
 */
export const inspectRestoredWindows = readingStep<
  {
    readonly manifest: ImageManifest;
    readonly planned: readonly PlannedDisk[];
    readonly now: () => Date;
  },
  HookRecord | null
>({
  id: 'inspect-windows',
  title: titles['inspect-windows'],
  async run({ manifest, planned, now }, { say }) {
    if (!holdsWindows(manifest) || !restoresSystem(planned))
      return { value: null, sentence: texts.noWindows, skipped: true };
    const startedAt = now();
    const disks = planned.map(({ target: { disk } }) => ({
      path: disk.devicePath,
      isBlockDevice: statSync(disk.devicePath).isBlockDevice(),
    }));
    const found = await inspectRestoredDisks(disks, manifest).catch((error: unknown) => error);
    const result = resultOf(found);
    const findings = isInspection(found) ? found.findings : [];
    for (const { outcome, sentence } of findings) if (isSaid(outcome)) say(sentence);
    const record: HookRecord = {
      hook: 'inspection',
      kind: 'inspection',
      phase: 'offline',
      title: texts.inspection,
      plan: [],
      result,
      evidence: findings.map(({ check, outcome, sentence }) => ({
        name: check,
        value: `${outcome}: ${sentence}`,
      })),
      startedAt: startedAt.toISOString(),
      seconds: Math.max(0, (now().getTime() - startedAt.getTime()) / 1000),
    };
    return { value: record, sentence: result.outcome === 'skipped' ? result.reason : result.sentence };
  },
});

/** A volume of the system that only Windows has. */
function holdsWindows({ windows, disks }: ImageManifest): boolean {
  const systems = disks.flatMap(({ volumes }) => volumes.filter(({ role }) => role === 'system'));
  return (
    windows !== undefined ||
    systems.some(({ fileSystem }) => fileSystem === 'ntfs' || fileSystem === 'BitLocker')
  );
}

const isInspection = (found: unknown): found is Inspection =>
  typeof found === 'object' && found !== null && 'findings' in found;
const isSaid = (outcome: Finding['outcome']): boolean => outcome === 'fatal' || outcome === 'warning';

function resultOf(found: unknown): HookResult {
  if (found === null) return { outcome: 'skipped', reason: texts.noWindows };
  if (isInspection(found)) {
    const { fatal, sentence } = summariseInspection(found);
    if (!fatal) return { outcome: 'done', sentence };
    return { outcome: 'failed', sentence: sentence.slice(0, 2000), next: texts.doNotStart };
  }
  const sentence = texts.notInspected(errorChain(found).join(': ')).slice(0, 2000);
  return { outcome: 'failed', sentence, next: texts.doNotStart };
}
