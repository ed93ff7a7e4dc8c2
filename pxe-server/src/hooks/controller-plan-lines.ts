import { type DomainController, isByWbadmin } from '#contract/hook-kinds/domain-controller.ts';
import type { PlanLine } from '#contract/hook-result.ts';
import type { ControllerVerdict } from '../domain/controller-preflight.ts';

/**
 * What a person reads before the restore. Pure.
 * @param stored of the system state in the store, where the plan wants one
 */
export function planLines(
  verdict: ControllerVerdict,
  { systemState, quarantine }: Pick<DomainController, 'systemState' | 'quarantine'>,
  stored: readonly PlanLine[] = [],
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
    ...stored,
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
  if (isByWbadmin(systemState)) return [];
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
    case 'backup-in-store':
      return [
        {
          kind: 'change',
          sentence: `It starts in directory services restore mode; wbadmin restores the system state from ${systemState.drive}; then it starts normally, and the copy is removed.`,
        },
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
