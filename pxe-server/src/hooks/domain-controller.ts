import { errorChain, RekindleError } from '#base/errors.ts';
import { soleController, systemStateEvidence, verdictEvidence } from '#contract/domain-files.ts';
import { type DomainController, isByWbadmin } from '#contract/hook-kinds/domain-controller.ts';
import type { Evidence, HookRecord, PlanLine } from '#contract/hook-result.ts';
import type { Precondition, Verified, WorkPlan } from '#contract/hook-work.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { type ControllerVerdict, judgeController } from '../domain/controller-preflight.ts';
import { judgeControllerProof } from '../domain/controller-proof.ts';
import { readDomainSettings } from '../domain/domain-settings.ts';
import { gatherControllerProof, parseOwnReport } from '../domain/gather-controller-proof.ts';
import { judgeSystemState, type SystemStateVerdict } from '../domain/judge-system-state.ts';
import { viewController } from '../domain/read-controllers.ts';
import { planLines } from './controller-plan-lines.ts';
import { findSystemState } from './find-system-state.ts';
import { lookOnce } from './look-once.ts';
import type { Confirmed, ServerHook, ServerHookContext } from './server-hook.ts';

type Context = Pick<
  ServerHookContext<'domain-controller'>,
  'hook' | 'image' | 'siteFolder' | 'signal' | 'earlier'
>;

export const domainControllerHook = {
  kind: 'domain-controller' as const,
  title: ({ directory }: DomainController) => `State of a controller of ${directory.domain}`.slice(0, 72),
  preflight: {
    precondition: async (context: Context): Promise<Precondition> => {
      const { verdict, stored } = await lookOnceAt(context);
      if (verdict.kind === 'refused')
        return { kind: 'refuse', sentence: `${verdict.why}.`, next: verdict.next };
      if (verdict.kind === 'no-controller') {
        return {
          kind: 'refuse',
          sentence: `${context.image.ref} is not an image of a domain controller, but the station's plan has a hook for one.`,
          next: 'Choose another image, or correct the role of the station and its hook plan.',
        };
      }
      if (
        verdict.kind === 'state-hook-required' &&
        context.hook.systemState.from === 'only-controller-of-forest'
      ) {
        return {
          kind: 'refuse',
          sentence:
            'The plan says that this is the only controller of its forest, and it is not: started from an image alone it would lose changes (USN rollback).',
          next: 'Set systemState in the hook plan of this station to `backup`.',
        };
      }
      if (stored?.verdict.kind === 'refused')
        return { kind: 'refuse', sentence: `${stored.verdict.why}.`, next: stored.verdict.next };
      return { kind: 'ready' };
    },
    plan: async (context: Context): Promise<WorkPlan<undefined>> => {
      const look = await lookOnceAt(context);
      return { planned: undefined, lines: linesOf(look, context.hook), evidence: evidenceOf(look) };
    },
    verify: async (context: Context): Promise<Verified> => {
      const { verdict } = await lookOnceAt(context);
      return {
        result: { outcome: 'done', sentence: sentences[verdict.kind] },
        // The plan has it already.
        evidence: [],
      };
    },
  },
  confirm,
} satisfies ServerHook<'domain-controller'>;

export interface ControllerLook {
  readonly verdict: ControllerVerdict;
  /** Of the store, where the plan wants one and one is needed. */
  readonly stored?: { readonly name: ImageName; readonly verdict: SystemStateVerdict };
}

/** Only reads. @throws RekindleError */
export async function lookAtController(
  context: Pick<Context, 'hook' | 'image' | 'siteFolder'>,
): Promise<ControllerLook> {
  const verdict = await judgeImage(context);
  const { systemState } = context.hook;
  if (verdict.kind !== 'state-hook-required' || systemState.from !== 'backup-in-store') return { verdict };
  const { manifest, store } = context.image;
  const { name, ...found } = await findSystemState(store, manifest.station, systemState.version);
  const { drive } = systemState;
  const { tombstoneLifetimeDays } = verdict;
  const facts = { ...found, image: manifest, drive, tombstoneLifetimeDays, now: new Date() };
  return { verdict, stored: { name, verdict: judgeSystemState(facts) } };
}

async function judgeImage({
  hook,
  image,
  siteFolder,
}: Pick<Context, 'hook' | 'image' | 'siteFolder'>): Promise<ControllerVerdict> {
  const settings = await readDomainSettings(hook.directory, siteFolder);
  const { computerName, stationRole, capturedAt, domainController, windows } = image.manifest;
  return judgeController({
    computerName,
    manifestSaysController: stationRole === 'domain-controller',
    ...(windows === undefined || windows.role === 'unknown' ? {} : { registryRole: windows.role }),
    imageTakenAt: new Date(capturedAt),
    mark: domainController,
    directory: await viewController(settings, computerName),
    now: new Date(),
  });
}

const lookOnceAt = lookOnce<Context, ControllerLook>(lookAtController);

/** What a person reads before the restore. Pure. */
export function linesOf({ verdict, stored }: ControllerLook, hook: DomainController): PlanLine[] {
  return planLines(verdict, hook, stored?.verdict.kind === 'usable' ? stored.verdict.lines : []);
}

const sentences: Record<ControllerVerdict['kind'], string> = {
  'no-controller': 'It is no domain controller.',
  refused: 'It may not be restored.',
  'sole-controller': 'It is the only controller of its forest: nothing can roll back.',
  'state-hook-required': 'It has to get a new invocationId before it starts normally.',
};

const evidenceOf = ({ verdict, stored }: ControllerLook): Evidence[] => [
  { name: verdictEvidence, value: verdict.kind },
  ...(stored === undefined ? [] : [{ name: systemStateEvidence, value: formatImageRef(stored.name) }]),
  ...verdict.findings.map((value) => ({ name: 'finding', value })),
];

/** The controller's own word, what a partner has of it, and an object that went both ways. */
async function confirm(context: Context, reported: Pick<HookRecord, 'evidence'>): Promise<Confirmed> {
  const { hook, image, siteFolder, signal, earlier } = context;
  const own = earlier.filter(({ hook: id }) => id === hook.id);
  const known = own.flatMap(({ evidence }) => evidence);
  if (known.some(({ name, value }) => name === verdictEvidence && value === soleController)) {
    return {
      result: { outcome: 'done', sentence: sentences['sole-controller'] },
      evidence: reported.evidence,
    };
  }
  const settings = await readDomainSettings(hook.directory, siteFolder);
  const { computerName, domainController } = image.manifest;
  const gathered = await gatherControllerProof(settings, {
    computerName,
    container: hook.testContainer,
    oldInvocationId: domainController?.invocationId,
    signal,
  }).catch((error: unknown) => {
    if (!(error instanceof RekindleError)) throw error;
    return { testObject: {}, logs: [], why: errorChain(error).join(': ') };
  });
  // The preflight's time is of this computer's clock, other phases' is not; asked for by hand there was none.
  const restoredAt = own.find(({ phase }) => phase === 'preflight')?.startedAt ?? image.manifest.capturedAt;
  const said = parseOwnReport([...known, ...reported.evidence]);
  const proof = judgeControllerProof({
    before: {
      ...(domainController === undefined ? {} : { invocationId: domainController.invocationId }),
      // wbadmin brings the registry of the backup back, with the count of then.
      ...(said?.restoreCountBefore === undefined || isByWbadmin(hook.systemState)
        ? {}
        : { restoreCount: said.restoreCountBefore }),
      restoredAt: new Date(restoredAt),
    },
    ...(said === undefined ? {} : { ownReport: said.report }),
    ...('partner' in gathered && gathered.partner !== undefined ? { partner: gathered.partner } : {}),
    testObject: gathered.testObject,
    logs: gathered.logs,
  });
  const why = 'why' in gathered ? [gathered.why] : [];
  const [first = 'Every proof is there.'] = [...proof.failed, ...proof.unverified];
  return {
    result:
      proof.outcome === 'failed'
        ? { outcome: 'failed', sentence: first, ...(proof.next === undefined ? {} : { next: proof.next }) }
        : { outcome: proof.outcome, sentence: first },
    evidence: [
      ...reported.evidence,
      ...proof.failed.map((value) => ({ name: 'failed', value })),
      ...proof.proved.map((value) => ({ name: 'proved', value })),
      ...[...proof.unverified, ...why].map((value) => ({ name: 'unverified', value })),
    ],
    settled: proof.settled,
  };
}
