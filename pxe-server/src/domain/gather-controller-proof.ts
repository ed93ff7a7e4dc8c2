import type { Evidence } from '#contract/hook-result.ts';
import { openAnyController } from './any-controller.ts';
import type { ControllerProofEvidence } from './controller-proof.ts';
import type { DomainSettings } from './domain-settings.ts';
import { readForestControllers, readRootDse } from './read-directory.ts';
import { replicateTestObject } from './replicate-test-object.ts';

export interface ProofRequest {
  readonly computerName: string;
  /** Container in which the account may create and delete contacts; absent: no test object is made. */
  readonly container: string | undefined;
  readonly signal: AbortSignal;
  /** How long a test object may be on its way, each direction. */
  readonly seconds?: number;
}

/** What a partner has of a restored controller, and whether an object goes both ways. @throws RekindleError */
export async function gatherControllerProof(
  settings: DomainSettings,
  { computerName, container, signal, seconds = 60 }: ProofRequest,
): Promise<Pick<ControllerProofEvidence, 'partner' | 'testObject'>> {
  const any = await openAnyController(settings, computerName);
  if (any.kind === 'unreachable') return { testObject: {} };
  await using session = any.session;
  const controllers = await readForestControllers(session, await readRootDse(session));
  const own = controllers.find((each) => each.computerName.toLowerCase() === computerName.toLowerCase());
  const partner = {
    computerName: session.controller.split('.')[0]?.toUpperCase() ?? session.controller,
    invocationId: own?.invocationId,
  };
  if (container === undefined || own?.dnsName === undefined) return { partner, testObject: {} };
  const ways = { container, seconds, signal };
  const toPartner = await replicateTestObject(settings, {
    ...ways,
    from: own.dnsName,
    to: session.controller,
  });
  const fromPartner = await replicateTestObject(settings, {
    ...ways,
    from: session.controller,
    to: own.dnsName,
  });
  return { partner, testObject: { toPartner, fromPartner } };
}

/** Names of what a controller's first boot reports (values `yes`, `no`, a number). */
export const ownReportEvidence = {
  event1109: 'event 1109',
  event2095: 'event 2095',
  notWritable: 'Dsa Not Writable',
  restoreCount: 'DSA Previous Restore Count',
  restoreCountBefore: 'DSA Previous Restore Count before',
} as const;

/** Undefined when not all of it was reported. */
export function parseOwnReport(evidence: readonly Evidence[]):
  | {
      readonly report: NonNullable<ControllerProofEvidence['ownReport']>;
      readonly restoreCountBefore: number | undefined;
    }
  | undefined {
  const of = (name: string): string | undefined => evidence.findLast((each) => each.name === name)?.value;
  const truth = (name: string): boolean | undefined => ({ yes: true, no: false })[of(name) ?? ''];
  const count = (name: string): number | undefined =>
    /^\d{1,9}$/.test(of(name) ?? '') ? Number(of(name)) : undefined;
  const event1109 = truth(ownReportEvidence.event1109);
  const event2095 = truth(ownReportEvidence.event2095);
  const notWritable = truth(ownReportEvidence.notWritable);
  const restoreCount = count(ownReportEvidence.restoreCount);
  if (
    event1109 === undefined ||
    event2095 === undefined ||
    notWritable === undefined ||
    restoreCount === undefined
  ) {
    return undefined;
  }
  return {
    report: { event1109, event2095, notWritable, restoreCount },
    restoreCountBefore: count(ownReportEvidence.restoreCountBefore),
  };
}
