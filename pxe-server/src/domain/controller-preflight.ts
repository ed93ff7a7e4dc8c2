import type { DomainControllerMark } from '#images/format/image-manifest.ts';
import { type ComputerAccount, isController } from './predict-trust.ts';
import { knownUsn, type UpToDateCursor } from './up-to-date-vector.ts';

/**
 * May an image of a domain controller be restored, and what has to happen before it starts normally? A controller
 * that starts from an image alone re-uses update sequence numbers that its partners have seen already: they ignore
 * its changes from then on, silently (USN rollback). Pure; the directory is read in read-controllers.ts.
 */

/** Another controller of the forest, as its nTDSDSA object names it, and what it answered. */
export type PartnerController = { readonly computerName: string } & (
  | { readonly reachable: false; readonly why: string }
  | {
      readonly reachable: true;
      /** One for each naming context that could be read; none where reading is not allowed. */
      readonly vectors: readonly (readonly UpToDateCursor[])[];
    }
);

const fsmoRoles = [
  'schema master',
  'domain naming master',
  'PDC emulator',
  'RID master',
  'infrastructure master',
] as const;
export type FsmoRole = (typeof fsmoRoles)[number];

export interface DirectoryView {
  readonly account: ComputerAccount | undefined;
  /** InvocationId of this controller's nTDSDSA object as the survivors have it; undefined: there is none any more. */
  readonly registeredInvocationId: string | undefined;
  readonly partners: readonly PartnerController[];
  readonly tombstoneLifetimeDays: number;
  /** Roles that this controller holds. */
  readonly roles: readonly FsmoRole[];
}

export interface ControllerEvidence {
  readonly computerName: string;
  /** What the image's manifest says. */
  readonly manifestSaysController: boolean;
  /** What the image's registry says (ProductOptions\ProductType), where it could be read. */
  readonly registryRole?: 'workstation' | 'server' | 'domain-controller';
  readonly imageTakenAt: Date;
  /** `domainController` of the manifest; undefined: nobody could be asked when the image was taken. */
  readonly mark: DomainControllerMark | undefined;
  /** Undefined with the reason: no controller of the domain answered. */
  readonly directory: DirectoryView | { readonly unreachable: string };
  readonly now: Date;
}

export type ControllerVerdict = {
  /** What was found out, a sentence each, in the order of the rule. */
  readonly findings: readonly string[];
} & (
  | { readonly kind: 'no-controller' }
  | { readonly kind: 'refused'; readonly why: string; readonly next: string }
  /** The forest's only controller: nobody has seen its updates, so that nothing can roll back. */
  | { readonly kind: 'sole-controller'; readonly confirm: readonly string[] }
  /** Has to get a new invocationId before it starts normally. */
  | {
      readonly kind: 'state-hook-required';
      readonly confirm: readonly string[];
      readonly tombstoneLifetimeDays: number;
    }
);

export function judgeController(evidence: ControllerEvidence): ControllerVerdict {
  const findings: string[] = [];
  const refused = (why: string, next: string): ControllerVerdict => ({
    kind: 'refused',
    why,
    next,
    findings,
  });
  const { computerName, directory, mark } = evidence;

  const disagreement = findDisagreement(evidence);
  if (disagreement !== undefined) {
    return refused(
      disagreement,
      'Find out which is right (rekindle station show, Active Directory Users and Computers), correct the role of the station, and capture it again if the image is wrong.',
    );
  }
  if (!evidence.manifestSaysController) return { kind: 'no-controller', findings };

  const ageDays = Math.floor((evidence.now.getTime() - evidence.imageTakenAt.getTime()) / dayMs);
  if ('unreachable' in directory) {
    findings.push(`No controller of the domain could be asked: ${directory.unreachable}.`);
    if (mark !== undefined && mark.otherControllers.length === 0) {
      findings.push(`When the image was taken, ${computerName} was the only controller of its forest.`);
      return {
        kind: 'sole-controller',
        findings,
        confirm: ['No other domain controller was added since the image was taken.'],
      };
    }
    const others =
      mark === undefined
        ? 'the manifest does not say whether there are others'
        : `others are ${mark.otherControllers.join(', ')}`;
    return refused(
      `No controller of the domain answers, so that nobody can say whether ${computerName} may come back (${others})`,
      'Start another controller of the domain, or repair the way to it (`directory.controllers` of the hook plan), then try again.',
    );
  }

  if (directory.account === undefined || directory.registeredInvocationId === undefined) {
    return refused(
      `The domain does not know ${computerName} as a controller any more; its metadata were removed`,
      'Do not restore it: install a new controller with another name beside the living ones.',
    );
  }
  if (ageDays >= directory.tombstoneLifetimeDays) {
    return refused(
      `The image is ${ageDays} days old, and the forest forgets deleted objects after ${directory.tombstoneLifetimeDays}: restored, it would bring them back (lingering objects)`,
      'Do not restore it: remove its metadata and install a new controller.',
    );
  }
  findings.push(
    `The image is ${ageDays} days old; the forest remembers deletions for ${directory.tombstoneLifetimeDays} days.`,
  );

  const confirm = directory.roles.map(
    (role) => `${computerName} holds the role of ${role}; nobody has seized it.`,
  );
  if (directory.partners.length === 0) {
    findings.push(`${computerName} is the only controller of its forest: nothing can roll back.`);
    return { kind: 'sole-controller', findings, confirm: [] };
  }
  findings.push(...describePartners(directory, mark));
  if (mark !== undefined && mark.invocationId !== directory.registeredInvocationId) {
    findings.push(
      `Its directory database has another invocationId now (${directory.registeredInvocationId}) than in the image (${mark.invocationId}): it was restored or promoted again in between.`,
    );
  }
  const { tombstoneLifetimeDays } = directory;
  return { kind: 'state-hook-required', findings, confirm, tombstoneLifetimeDays };
}

const dayMs = 86_400_000;

/** Manifest, hive and directory have to tell the same; the two that were asked, where one was not. */
function findDisagreement(evidence: ControllerEvidence): string | undefined {
  const { computerName, directory, registryRole, manifestSaysController } = evidence;
  const says = (is: boolean): string => (is ? 'a domain controller' : 'no domain controller');
  const voices = [
    { who: 'the manifest of the image', is: manifestSaysController },
    ...(registryRole === undefined
      ? []
      : [{ who: "the image's registry", is: registryRole === 'domain-controller' }]),
    ...('unreachable' in directory || directory.account === undefined
      ? []
      : [{ who: 'the directory', is: isController(directory.account) }]),
  ];
  const [first] = voices;
  const other = voices.find(({ is }) => is !== first?.is);
  if (first === undefined || other === undefined) return undefined;
  return `${first.who} says that ${computerName} is ${says(first.is)}, and ${other.who} says that it is ${says(other.is)}`;
}

function describePartners(directory: DirectoryView, mark: DomainControllerMark | undefined): string[] {
  const silent = directory.partners.filter((partner) => !partner.reachable);
  const answering = directory.partners.filter((partner) => partner.reachable);
  const sentences = silent.map(({ computerName, why }) => `Partner ${computerName} does not answer: ${why}.`);
  if (mark === undefined) {
    return [...sentences, 'The manifest has no invocationId: partners cannot be compared with the image.'];
  }
  if (answering.length === 0) return [...sentences, 'No partner could be compared with the image.'];
  const unread = answering.filter(({ vectors }) => vectors.length === 0);
  sentences.push(
    ...unread.map(
      ({ computerName }) =>
        `Partner ${computerName} shows no replUpToDateVector: it has none, or the account of this site may not read it.`,
    ),
  );
  const known = knownUsn(
    answering.flatMap(({ vectors }) => vectors),
    mark.invocationId,
  );
  const image = BigInt(mark.highestCommittedUsn);
  if (known === undefined) return [...sentences, 'No partner has ever had a change of this database.'];
  if (known > image) {
    return [
      ...sentences,
      `USN rollback ahead: partners have changes up to USN ${known}, the image ends at ${image} (${known - image} less).`,
    ];
  }
  return [
    ...sentences,
    known === image
      ? `Partners have exactly what the image has (USN ${image}); its next change would be ignored all the same if a partner that does not answer has more.`
      : `The image (USN ${image}) holds changes that no answering partner has (USN ${known}).`,
  ];
}
