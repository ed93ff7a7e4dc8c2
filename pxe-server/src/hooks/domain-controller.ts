import { errorChain, RekindleError } from '#base/errors.ts';
import { soleController, verdictEvidence } from '#contract/domain-files.ts';
import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { Evidence, HookRecord, PlanLine } from '#contract/hook-result.ts';
import type { Precondition, Verified, WorkPlan } from '#contract/hook-work.ts';
import { type ControllerVerdict, judgeController } from '../domain/controller-preflight.ts';
import { judgeControllerProof } from '../domain/controller-proof.ts';
import { readDomainSettings } from '../domain/domain-settings.ts';
import { gatherControllerProof, parseOwnReport } from '../domain/gather-controller-proof.ts';
import { viewController } from '../domain/read-controllers.ts';
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
      const verdict = await judgeOnce(context);
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
      return { kind: 'ready' };
    },
    plan: async (context: Context): Promise<WorkPlan<undefined>> => {
      const verdict = await judgeOnce(context);
      return {
        planned: undefined,
        lines: planLines(verdict, context.hook),
        evidence: evidenceOf(verdict),
      };
    },
    verify: async (context: Context): Promise<Verified> => {
      const verdict = await judgeOnce(context);
      return {
        result: { outcome: 'done', sentence: sentences[verdict.kind] },
        // The plan has it already.
        evidence: [],
      };
    },
  },
  confirm,
} satisfies ServerHook<'domain-controller'>;

/** Only reads. */
export async function judgeImage({
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

const judgeOnce = lookOnce<Context, ControllerVerdict>(judgeImage);

const sentences: Record<ControllerVerdict['kind'], string> = {
  'no-controller': 'It is no domain controller.',
  refused: 'It may not be restored.',
  'sole-controller': 'It is the only controller of its forest: nothing can roll back.',
  'state-hook-required': 'It has to get a new invocationId before it starts normally.',
};

const evidenceOf = (verdict: ControllerVerdict): Evidence[] => [
  { name: verdictEvidence, value: verdict.kind },
  ...verdict.findings.map((value) => ({ name: 'finding', value })),
];

/** Pure: what a person reads before the restore. */
export function planLines(
  verdict: ControllerVerdict,
  { systemState, quarantine }: Pick<DomainController, 'systemState' | 'quarantine'>,
): PlanLine[] {
  const findings = verdict.findings.map((sentence) => ({ kind: 'warning', sentence }) as const);
  const confirm =
    'confirm' in verdict
      ? verdict.confirm.map(
          (sentence) => ({ kind: 'needs-person', sentence: `Confirm: ${sentence}` }) as const,
        )
      : [];
  if (verdict.kind === 'sole-controller') {
    return [...findings, ...confirm, { kind: 'change', sentence: 'Nothing is changed in its directory.' }];
  }
  return [
    ...findings,
    ...confirm,
    ...systemStateLines(systemState),
    {
      kind: 'change',
      sentence: 'SYSVOL is taken from a partner (non-authoritative restore).',
    },
    ...quarantineLines(systemState, quarantine),
  ];
}

/** In directory services restore mode the directory does not run: nothing can leave it. */
function quarantineLines(
  systemState: DomainController['systemState'],
  quarantine: DomainController['quarantine'],
): PlanLine[] {
  if (systemState.from === 'backup') return [];
  if (quarantine === 'by-hand') {
    return [
      {
        kind: 'needs-person',
        sentence:
          'Quarantine: pull its network cables when the restore has ended, and plug them in when it shows event 1109.',
      },
    ];
  }
  return [
    {
      kind: 'change',
      sentence:
        'Quarantine: its network cards stay off at its first start, until it has seen itself that its directory was renewed (event 1109).',
    },
  ];
}

/** `wbadmin start systemstaterecovery` has no parameters for a name and a password. */
const shareLine: PlanLine = {
  kind: 'warning',
  sentence:
    'The backup is on a share, and wbadmin gets no credential for it: the share has to let the computer itself in. This was never tried; a drive of the station is the safe place.',
};

function systemStateLines(systemState: DomainController['systemState']): PlanLine[] {
  switch (systemState.from) {
    case 'backup':
      return [
        {
          kind: 'change',
          sentence: `It starts in directory services restore mode; wbadmin restores the system state of ${systemState.version} from ${systemState.target}; then it starts normally.`,
        },
        ...(systemState.target.startsWith('\\\\') ? [shareLine] : []),
      ];
    case 'restored-from-backup-value':
      return [
        {
          kind: 'change',
          sentence: '"Database restored from backup" is set in its registry before its first start.',
        },
        {
          kind: 'warning',
          sentence:
            'Microsoft does not support this. Once started normally, it cannot be tried again on the same disk.',
        },
      ];
    case 'only-controller-of-forest':
      return [];
  }
}

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
      ...(said?.restoreCountBefore === undefined || hook.systemState.from === 'backup'
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
