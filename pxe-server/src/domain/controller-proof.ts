/**
 * Did the domain controller come back without a USN rollback? Evidence comes from the controller's own first boot
 * (event log, registry), from a partner over LDAP and from the controllers' event logs. One failure sign fails it;
 * what nobody reported leaves it unverified. Pure.
 */

import type { SettledItem } from '#contract/hook-result.ts';
import type { Finding } from './finding.ts';
import { judgeEvent1587 } from './judge-event-1587.ts';
import type { EventLogReading } from './read-event-log.ts';

export interface ControllerProofEvidence {
  /** InvocationId in the image, and the "DSA Previous Restore Count" (absent counts as 0) before its first boot. */
  readonly before: {
    readonly invocationId?: string;
    readonly restoreCount?: number;
    /** When the restore was begun, or else when the image was taken, by this computer's clock. */
    readonly restoredAt: Date;
  };
  /** What its first boot reported; absent: nothing has arrived yet. */
  readonly ownReport?: {
    /** Directory Services log, event 1109: the invocationId was changed. */
    readonly event1109: boolean;
    /** Event 2095: a partner has seen this database's USNs before. */
    readonly event2095: boolean;
    /** NTDS\Parameters, "DSA Previous Restore Count". */
    readonly restoreCount: number;
    /** NTDS\Parameters, "Dsa Not Writable" is there. */
    readonly notWritable: boolean;
    /** Of event 1109, upper-case; absent: it named none. */
    readonly invocationId?: string;
    readonly sysvol?: SysvolState;
    /** It was kept off the network, and no longer is only if a person has let it back. */
    readonly quarantineKept?: boolean;
  };
  /** What a partner has; absent: none could be asked. */
  readonly partner?: {
    readonly computerName: string;
    /** Of the restored controller's nTDSDSA object, as the partner has it. */
    readonly invocationId: string | undefined;
  };
  /** Directory Service logs of the partners and of the restored controller itself. */
  readonly logs: readonly EventLogReading[];
  /** A test object was made on one side and looked for on the other, until it came or the time was over. */
  readonly testObject: { readonly toPartner?: boolean; readonly fromPartner?: boolean };
}

/** Whether SYSVOL has come from a partner: event 4604 (DFSR) or 13516 (FRS) since the restore. */
export type SysvolState = 'from-partner' | 'pending' | 'failed' | 'not-asked';

export interface ControllerProof {
  readonly outcome: 'done' | 'failed' | 'unverified';
  readonly proved: readonly string[];
  readonly failed: readonly string[];
  /** Not known, a sentence each. */
  readonly unverified: readonly string[];
  readonly next?: string;
  /** What of the checklist nobody has to look at any more; none when anything failed. */
  readonly settled: readonly SettledItem[];
}

export function judgeControllerProof(evidence: ControllerProofEvidence): ControllerProof {
  const events = judgeEvent1587({
    oldInvocationId: evidence.before.invocationId,
    invocationIds: [evidence.partner?.invocationId, evidence.ownReport?.invocationId],
    restoredAt: evidence.before.restoredAt,
    logs: evidence.logs,
  });
  const testObjects = judgeTestObject(evidence);
  const findings = [
    ...judgeOwnReport(evidence),
    ...judgePartner(evidence),
    ...(evidence.partner === undefined ? [] : events),
    ...testObjects,
  ];
  const of = (kind: Finding[0]): string[] =>
    findings.filter(([each]) => each === kind).map(([, sentence]) => sentence);
  const [proved, failed, unverified] = [of('proved'), of('failed'), of('unverified')];
  if (failed.length > 0) {
    return {
      outcome: 'failed',
      proved,
      failed,
      unverified,
      settled: [],
      next: isOnlySysvol(evidence, failed)
        ? 'Its directory is well. Take SYSVOL from a partner by hand: KB 2218556 (DFSR; start the service first), KB 290762 (FRS).'
        : 'Take it off the network now, then demote it by force and remove its metadata, or restore a system state backup. Do not delete "Dsa Not Writable".',
    };
  }
  return {
    outcome: unverified.length === 0 ? 'done' : 'unverified',
    proved,
    failed,
    unverified,
    settled: [
      ...settledBy('event-1587', events),
      ...settledBy('replication', testObjects),
      ...(evidence.ownReport?.sysvol === 'from-partner'
        ? settledBy('sysvol', [sysvolSentences['from-partner'] as Finding])
        : []),
    ],
  };
}

/** Every sign of it is a proof. */
const settledBy = (item: string, signs: readonly Finding[]): SettledItem[] =>
  signs.every(([kind]) => kind === 'proved')
    ? [{ item, note: signs.map(([, sentence]) => sentence).join(' ') }]
    : [];

/** SYSVOL holds group policies and scripts; that it is old is no reason to give up a controller. */
const isOnlySysvol = ({ ownReport }: ControllerProofEvidence, failed: readonly string[]): boolean =>
  failed.length === 1 && ownReport?.sysvol === 'failed' && failed[0] === sysvolSentences.failed?.[1];

const sysvolSentences: Partial<Record<SysvolState, Finding>> = {
  'from-partner': ['proved', 'SYSVOL has come from a partner since the restore.'],
  pending: ['unverified', 'SYSVOL has not come from a partner yet (event 4604 with DFSR, 13516 with FRS).'],
  failed: ['failed', 'SYSVOL could not be taken from a partner: the journal of its first boot says why.'],
};

function judgeOwnReport({ before, ownReport }: ControllerProofEvidence): Finding[] {
  if (ownReport === undefined)
    return [['unverified', 'The controller has not reported from its first boot.']];
  const { event1109, event2095, restoreCount, notWritable, sysvol, quarantineKept } = ownReport;
  const counted = before.restoreCount !== undefined && restoreCount === before.restoreCount + 1;
  const sysvolFinding = sysvol === undefined ? undefined : sysvolSentences[sysvol];
  return [
    event1109
      ? ['proved', 'Event 1109: it has a new invocationId.']
      : counted
        ? ['unverified', 'Event 1109 was not found, though Windows has counted the restore.']
        : ['failed', 'There is no event 1109: it did not change its invocationId.'],
    ...(quarantineKept === true
      ? ([
          ['failed', 'Nothing showed it that its directory was renewed: it kept itself off the network.'],
        ] as const)
      : []),
    ...(sysvolFinding === undefined ? [] : [sysvolFinding]),
    event2095
      ? ['failed', 'Event 2095: a partner has found a USN rollback.']
      : ['proved', 'There is no event 2095.'],
    notWritable
      ? ['failed', '"Dsa Not Writable" is set: it has stopped replication because of a USN rollback.']
      : ['proved', '"Dsa Not Writable" is not set.'],
    before.restoreCount === undefined
      ? ['unverified', `DSA Previous Restore Count is ${restoreCount}; what it was before is not known.`]
      : counted
        ? ['proved', `DSA Previous Restore Count went from ${before.restoreCount} to ${restoreCount}.`]
        : [
            'failed',
            `DSA Previous Restore Count is ${restoreCount}, not ${before.restoreCount + 1}: the restore was not noticed once.`,
          ],
  ];
}

function judgePartner({ before, ownReport, partner, testObject }: ControllerProofEvidence): Finding[] {
  if (partner === undefined) return [['unverified', 'No partner could be asked.']];
  const { computerName, invocationId } = partner;
  return [
    before.invocationId === undefined
      ? judgeByEvent(computerName, invocationId, ownReport?.invocationId)
      : invocationId === undefined
        ? ['failed', `${computerName} does not know it as a controller any more.`]
        : invocationId === before.invocationId
          ? [
              // What came from it since then came under the old name.
              testObject.toPartner === true ? 'failed' : 'unverified',
              `${computerName} still has the invocationId of the image (${invocationId}): it was not changed, or has not replicated yet.`,
            ]
          : ['proved', `${computerName} sees the new invocationId ${invocationId}.`],
  ];
}

/** An image whose invocationId nobody wrote down: the controller's own event says which is the new one. */
function judgeByEvent(partner: string, seen: string | undefined, own: string | undefined): Finding {
  if (seen !== undefined && seen.toUpperCase() === own?.toUpperCase())
    return ['proved', `${partner} sees the new invocationId ${seen} that event 1109 names.`];
  return ['unverified', 'The invocationId of the image is not known.'];
}

function judgeTestObject({ testObject }: ControllerProofEvidence): Finding[] {
  const way = (arrived: boolean | undefined, from: string): Finding =>
    arrived === undefined
      ? ['unverified', `No test object was made on ${from}.`]
      : arrived
        ? ['proved', `A test object of ${from} arrived on the other side.`]
        : ['failed', `A test object of ${from} did not arrive on the other side.`];
  return [way(testObject.toPartner, 'the restored controller'), way(testObject.fromPartner, 'the partner')];
}
