import { trustEvidence } from '#contract/domain-files.ts';
import type { DomainRejoin } from '#contract/hook-kinds/domain-rejoin.ts';
import type { Evidence, PlanLine } from '#contract/hook-result.ts';
import type { Precondition } from '#contract/hook-work.ts';
import { readDomainSettings } from '../domain/domain-settings.ts';
import { lookAtTrust, makeRejoinSecret, proveRejoin, type TrustLook } from '../domain/rejoin-station.ts';
import { lookOnce } from './look-once.ts';
import type { ServerHook, ServerHookContext } from './server-hook.ts';

type Context = Pick<
  ServerHookContext<'domain-rejoin'>,
  'hook' | 'image' | 'siteFolder' | 'signal' | 'earlier'
>;

const passwordLastSet = 'pwdLastSet';
const never = 'never';

export const domainRejoinHook: ServerHook<'domain-rejoin'> = {
  kind: 'domain-rejoin',
  title: ({ directory }) => `Trust of the domain ${directory.domain}`.slice(0, 72),
  preflight: {
    precondition: async (context): Promise<Precondition> => {
      const found = await lookBefore(context);
      if (found.kind === 'unreachable' || found.prediction.kind !== 'refused') return { kind: 'ready' };
      const { sentence, next } = found.prediction;
      const refusal = { kind: 'refuse', sentence: `${sentence}.`, evidence: evidenceOf(found) } as const;
      return next === undefined ? refusal : { ...refusal, next };
    },
    plan: async (context) => {
      const found = await lookBefore(context);
      return { planned: undefined, lines: planLines(found, context.hook), evidence: evidenceOf(found) };
    },
    verify: async (context) => {
      const found = await lookBefore(context);
      const sentence =
        found.kind === 'unreachable'
          ? `No controller of ${context.hook.directory.domain} could be asked.`
          : `${found.prediction.sentence}.`;
      return {
        result: { outcome: found.kind === 'unreachable' ? 'unverified' : 'done', sentence },
        evidence: [],
      };
    },
  },
  /** A trust that is intact is left as it is. */
  async provide(context) {
    const { hook, image, siteFolder, signal } = context;
    if (hook.method === 'technician') return [];
    const found = await look(context);
    if (found.kind === 'seen' && found.prediction.kind === 'intact') return [];
    const { computerName, station } = image.manifest;
    const settings = await readDomainSettings(hook.directory, siteFolder);
    const { method } = hook;
    return [
      { ...(await makeRejoinSecret(settings, { station, computerName, method, signal })), secret: true },
    ];
  },
  async confirm({ hook, image, siteFolder, earlier, signal }, reported) {
    const before = earlier
      .filter((record) => record.hook === hook.id && record.phase === 'preflight')
      .flatMap(({ evidence }) => evidence)
      .findLast(({ name }) => name === passwordLastSet)?.value;
    const proof = await proveRejoin(await readDomainSettings(hook.directory, siteFolder), {
      computerName: image.manifest.computerName,
      passwordBefore: before === undefined || before === never ? undefined : new Date(before),
      seconds: confirmSeconds,
      signal,
    });
    return {
      result: proof.result,
      evidence: [
        ...reported.evidence,
        { name: passwordLastSet, value: proof.passwordLastSet?.toISOString() ?? never },
        { name: 'lastLogon', value: proof.lastLogon?.toISOString() ?? never },
      ],
    };
  },
};

/** lastLogon comes a moment late. */
const confirmSeconds = 20;

/** Only reads. */
async function look({ hook, image, siteFolder }: Context): Promise<TrustLook> {
  return lookAtTrust(await readDomainSettings(hook.directory, siteFolder), {
    computerName: image.manifest.computerName,
    imageTakenAt: new Date(image.manifest.capturedAt),
    rotationDays: hook.rotationDays,
  });
}

/** Of preflight. Whether the trust is repaired is decided hours later, by a look of its own (`provide`). */
const lookBefore = lookOnce(look);

function evidenceOf(found: TrustLook): Evidence[] {
  if (found.kind === 'unreachable') return [];
  return [
    { name: 'controller', value: found.controller },
    { name: trustEvidence, value: found.prediction.kind },
    { name: passwordLastSet, value: found.account?.passwordLastSet?.toISOString() ?? never },
  ];
}

/** Pure: what a person reads before the restore. A controller that does not answer stops no restore of a member. */
export function planLines(found: TrustLook, { directory, method }: DomainRejoin): PlanLine[] {
  if (found.kind === 'unreachable') {
    return [
      { kind: 'warning', sentence: `No controller of ${directory.domain} answers: ${found.why}.` },
      {
        kind: 'needs-person',
        sentence:
          'It is restored without knowing whether its domain will trust it; the repair is tried when its disks are written.',
      },
    ];
  }
  const { kind, sentence, warnings } = found.prediction;
  return [
    { kind: kind === 'intact' ? 'change' : 'warning', sentence: `${sentence}.` },
    ...warnings.map((warning) => ({ kind: 'warning', sentence: warning }) as const),
    { kind: 'change', sentence: kind === 'intact' ? 'Nothing is changed in the domain.' : repairs[method] },
  ];
}

const repairs: Record<DomainRejoin['method'], string> = {
  'offline-join':
    'The account gets a new password; the station takes it from an offline-join blob at its first boot and changes it at once.',
  'reset-account':
    'The account gets a one-time password; the station takes it at its first boot and changes it at once.',
  technician: 'A technician with the right rejoins the station after its first boot: rekindle hook domain.',
};
