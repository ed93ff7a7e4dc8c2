import { setTimeout as sleep } from 'node:timers/promises';
import { ownReportEvidence } from '#contract/domain-files.ts';
import type { Evidence } from '#contract/hook-result.ts';
import { isNamed, openAnyController } from './any-controller.ts';
import type { ControllerProofEvidence, SysvolState } from './controller-proof.ts';
import type { DomainSettings } from './domain-settings.ts';
import { readForestControllers, readRootDse } from './read-directory.ts';
import { type EventLogReading, readDirectoryServiceLog } from './read-event-log.ts';
import { replicateTestObject, type TestObjectRequest } from './replicate-test-object.ts';

export interface ProofRequest {
  readonly computerName: string;
  /** Container in which the account may create and delete contacts; absent: no test object is made. */
  readonly container: string | undefined;
  /** Of the image: a partner is waited for while it still has this one. */
  readonly oldInvocationId: string | undefined;
  readonly signal: AbortSignal;
  /** How long a test object, or the new invocationId, may be on its way. */
  readonly seconds?: number;
}

/** What a partner has of a restored controller, whether an object goes both ways, what their logs say. @throws RekindleError */
export async function gatherControllerProof(
  settings: DomainSettings,
  { computerName, oldInvocationId, container, signal, seconds = 60 }: ProofRequest,
): Promise<Pick<ControllerProofEvidence, 'partner' | 'testObject' | 'logs'>> {
  const any = await openAnyController(settings, computerName);
  if (any.kind === 'unreachable') return { testObject: {}, logs: [] };
  await using session = any.session;
  const root = await readRootDse(session);
  const readOwn = async () =>
    (await readForestControllers(session, root)).find(
      (each) => each.computerName.toLowerCase() === computerName.toLowerCase(),
    );
  const dnsName = (await readOwn())?.dnsName;
  const testObject =
    container === undefined || dnsName === undefined
      ? {}
      : await sendBothWays(settings, dnsName, session.controller, { container, seconds, signal });
  // The configuration replicates by itself, after or before what was sent.
  const end = Date.now() + seconds * 1000;
  let own = await readOwn();
  while (own !== undefined && own.invocationId === oldInvocationId && Date.now() < end && !signal.aborted) {
    await sleep(1000);
    own = await readOwn();
  }
  return {
    partner: {
      computerName: session.controller.split('.')[0]?.toUpperCase() ?? session.controller,
      invocationId: own?.invocationId,
    },
    testObject,
    // Last: whatever replication writes into them has been written.
    logs: await readLogs(settings, computerName, dnsName, signal),
  };
}

/** Of every configured controller and of the restored one, which the directory names where the plan does not. */
function readLogs(
  settings: DomainSettings,
  computerName: string,
  restored: string | undefined,
  signal: AbortSignal,
): Promise<EventLogReading[]> {
  const { controllers } = settings;
  const isThere = restored === undefined || controllers.some((each) => isNamed(each, computerName));
  const all = isThere ? controllers : [...controllers, restored];
  return Promise.all(all.map((controller) => readDirectoryServiceLog(settings, controller, signal)));
}

async function sendBothWays(
  settings: DomainSettings,
  restored: string,
  partner: string,
  ways: Pick<TestObjectRequest, 'container' | 'seconds'> & { readonly signal: AbortSignal },
): Promise<ControllerProofEvidence['testObject']> {
  return {
    toPartner: await replicateTestObject(settings, { ...ways, from: restored, to: partner }),
    fromPartner: await replicateTestObject(settings, { ...ways, from: partner, to: restored }),
  };
}

const sysvolStates: readonly SysvolState[] = ['from-partner', 'pending', 'failed', 'not-asked'];

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
  const invocationId = of(ownReportEvidence.invocationIdNow);
  const sysvol = sysvolStates.find((state) => state === of(ownReportEvidence.sysvol));
  if (
    event1109 === undefined ||
    event2095 === undefined ||
    notWritable === undefined ||
    restoreCount === undefined
  ) {
    return undefined;
  }
  return {
    report: {
      event1109,
      event2095,
      notWritable,
      restoreCount,
      ...(invocationId === undefined ? {} : { invocationId }),
      ...(sysvol === undefined ? {} : { sysvol }),
      ...(of(ownReportEvidence.quarantine) === 'kept' ? { quarantineKept: true } : {}),
    },
    restoreCountBefore: count(ownReportEvidence.restoreCountBefore),
  };
}
