import { RekindleError } from '#base/errors.ts';
import { soleController, verdictEvidence } from '#contract/domain-files.ts';
import type { HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { correctRole, roleContradiction } from '#images/format/role-contradiction.ts';

/**
 * The plan's schema refuses a domain controller without its hook. Here all voices have to agree whether it is one: the
 * registration now, that of the day of the image, and the Windows in the image. A contradiction is for a person.
 */
export function assertRole(plan: Pick<HookPlan, 'stationRole'>, manifest: VoicesOfImage): void {
  const { stationRole, station } = manifest;
  const refuse = (why: string, next: string) => {
    throw new RekindleError('verification-failed', `comparing the role of ${station} with its image's`, {
      cause: new Error(why),
      next: `${next} Nothing was written.`,
    });
  };
  const contradiction = roleContradiction({ ...manifest, stationRole: plan.stationRole });
  if (contradiction !== undefined)
    refuse(
      contradiction,
      `${correctRole(manifest)} Then capture it again; if that cannot be done, and it is a domain controller, install a new one beside the living ones.`,
    );
  if ((stationRole === 'domain-controller') === (plan.stationRole === 'domain-controller')) return;
  refuse(
    `the image is a ${stationRole}'s, the station is registered as ${plan.stationRole}`,
    'Find out what the station is, register it as that and capture it again; a domain controller is never started from an image alone.',
  );
}

type VoicesOfImage = Pick<ImageManifest, 'station' | 'stationRole' | 'windows'>;

/**
 * Before the first write: a controller that needs a new invocationId is restored only where its disk can be changed
 * before it starts. The only controller of a forest needs none.
 */
export function assertControllerState(
  plan: HookPlan,
  records: readonly HookRecord[],
  { disks }: Pick<ImageManifest, 'disks'>,
): void {
  const hook = plan.hooks.find(({ kind }) => kind === 'domain-controller');
  if (hook === undefined) return;
  const sole = records.some(
    ({ hook: id, evidence }) =>
      id === hook.id &&
      evidence.some(({ name, value }) => name === verdictEvidence && value === soleController),
  );
  if (sole) return;
  const systems = disks.flatMap(({ volumes }) => volumes.filter(({ role }) => role === 'system'));
  if (systems.some(({ fileSystem }) => fileSystem === 'ntfs')) return;
  const found = [...new Set(systems.map(({ fileSystem }) => fileSystem ?? 'no known file system'))].join(
    ', ',
  );
  throw new RekindleError('failed-hooks', `preparing the restore of the domain controller ${plan.station}`, {
    cause: new Error(
      `its registry cannot be changed before it starts: no system volume of the image is an open NTFS (${found || 'there is none'})`,
    ),
    next: 'Install a new domain controller beside the living ones, or restore its system state with its own backup.',
  });
}

/**
 * Before the first write, where there is no service whose hooks would put a controller right: only one that was the
 * sole controller of its forest when its image was taken is restored from the image alone.
 */
export function assertNoControllerHookNeeded({
  station,
  stationRole,
  windows,
  domainController,
}: Pick<ImageManifest, 'station' | 'stationRole' | 'windows' | 'domainController'>): void {
  if (stationRole !== 'domain-controller' && windows?.role !== 'domain-controller') return;
  if (domainController?.otherControllers.length === 0) return;
  const others = domainController?.otherControllers.join(', ') ?? 'unknown, the image does not say';
  throw new RekindleError('failed-hooks', `preparing the restore of the domain controller ${station}`, {
    cause: new Error(
      `started from its image alone it would lose changes (USN rollback); other controllers of its forest: ${others}`,
    ),
    next: 'Start the recovery from the network (F12) with a hook plan for it. Nothing was written.',
  });
}
