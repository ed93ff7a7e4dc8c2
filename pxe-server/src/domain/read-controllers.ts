import { errorChain, RekindleError } from '#base/errors.ts';
import type { DomainControllerMark } from '#images/format/image-manifest.ts';
import { openAnyController } from './any-controller.ts';
import type { DirectoryView, FsmoRole, PartnerController } from './controller-preflight.ts';
import { bytesOf, type DirectorySession, openDirectory, textOf } from './directory-session.ts';
import type { DomainSettings } from './domain-settings.ts';
import {
  type ForestController,
  type RootDse,
  readComputerAccount,
  readForestControllers,
  readRootDse,
  readTombstoneLifetime,
} from './read-directory.ts';
import { knownUsn, parseUpToDateVector, type UpToDateCursor } from './up-to-date-vector.ts';

/** What the surviving controllers know of one of them. Every function here only reads. */

/** The directory's part of the preflight; `unreachable` is an expected outcome. @throws RekindleError `usage` */
export async function viewController(
  settings: DomainSettings,
  computerName: string,
): Promise<DirectoryView | { readonly unreachable: string }> {
  const any = await openAnyController(settings, computerName);
  if (any.kind === 'unreachable') return { unreachable: any.why };
  await using session = any.session;
  const root = await readRootDse(session);
  const controllers = await readForestControllers(session, root);
  const own = controllers.find((each) => isSame(each, computerName));
  const others = controllers.filter((each) => !isSame(each, computerName));
  return {
    account: await readComputerAccount(session, root, computerName),
    registeredInvocationId: own?.invocationId,
    partners: await Promise.all(others.map((other) => readPartner(settings, other))),
    tombstoneLifetimeDays: await readTombstoneLifetime(session, root),
    roles: own === undefined ? [] : await readRoles(session, root, own),
  };
}

/**
 * The controller's identity and its USN, for the manifest of an image that is being taken. Read before the image:
 * the image is never older than its mark says. A controller that is up is asked itself; of one that is down the
 * others know how far its changes have come.
 * @returns why it cannot be known, as a sentence, where it cannot
 */
export async function readControllerMark(
  settings: DomainSettings,
  computerName: string,
): Promise<DomainControllerMark | { readonly unknown: string }> {
  const any = await openAnyController(settings);
  if (any.kind === 'unreachable') return { unknown: any.why };
  await using session = any.session;
  const root = await readRootDse(session);
  const controllers = await readForestControllers(session, root);
  const own = controllers.find((each) => isSame(each, computerName));
  if (own === undefined) return { unknown: `${root.domain} has no domain controller ${computerName}` };
  const others = controllers.filter((each) => each !== own);
  const mark = {
    invocationId: own.invocationId,
    otherControllers: others.map((other) => other.computerName),
  };
  const itself = await askRootDse(settings, own);
  if (itself !== undefined) return { ...mark, highestCommittedUsn: String(itself.highestCommittedUsn) };
  const partners = await Promise.all(others.map((other) => readPartner(settings, other)));
  const known = knownUsn(
    partners.flatMap((partner) => (partner.reachable ? partner.vectors : [])),
    own.invocationId,
  );
  return known === undefined
    ? { unknown: `${computerName} does not answer, and no other controller knows its changes` }
    : { ...mark, highestCommittedUsn: String(known) };
}

const isSame = ({ computerName }: ForestController, name: string): boolean =>
  computerName.toLowerCase() === name.toLowerCase();

async function askRootDse(
  settings: DomainSettings,
  controller: ForestController,
): Promise<RootDse | undefined> {
  try {
    await using session = await openController(settings, controller);
    return await readRootDse(session);
  } catch (error) {
    if (error instanceof RekindleError && error.code === 'store-unreachable') return undefined;
    throw error;
  }
}

async function readPartner(
  settings: DomainSettings,
  controller: ForestController,
): Promise<PartnerController> {
  const { computerName } = controller;
  try {
    await using session = await openController(settings, controller);
    const vectors = await readVectors(session, await readRootDse(session));
    return { computerName, reachable: true, vectors };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return { computerName, reachable: false, why: errorChain(error).join(': ') };
  }
}

/** By the DNS name that the directory has of it. */
function openController(settings: DomainSettings, controller: ForestController): Promise<DirectorySession> {
  return openDirectory(controller.dnsName ?? `${controller.computerName}.${settings.domain}`, settings);
}

/** How far changes of others have come here, one vector a naming context. An unreadable one is left out. */
async function readVectors(session: DirectorySession, root: RootDse): Promise<UpToDateCursor[][]> {
  const contexts = [root.domainContext, root.configurationContext, root.schemaContext];
  const vectors: UpToDateCursor[][] = [];
  for (const base of new Set(contexts)) {
    const [entry] = await session.search({
      doing: `Reading how far changes have come in ${base}`,
      base,
      scope: 'base',
      attributes: ['replUpToDateVector'],
      binary: ['replUpToDateVector'],
    });
    const bytes = bytesOf(entry, 'replUpToDateVector');
    if (bytes !== undefined) vectors.push(parseUpToDateVector(bytes));
  }
  return vectors;
}

async function readRoles(
  session: DirectorySession,
  root: RootDse,
  own: ForestController,
): Promise<FsmoRole[]> {
  // MS-ADTS 6.1.5: whose fSMORoleOwner says who holds which role.
  const holders: readonly (readonly [FsmoRole, string])[] = [
    ['schema master', root.schemaContext],
    ['domain naming master', `CN=Partitions,${root.configurationContext}`],
    ['PDC emulator', root.domainContext],
    ['RID master', `CN=RID Manager$,CN=System,${root.domainContext}`],
    ['infrastructure master', `CN=Infrastructure,${root.domainContext}`],
  ];
  const roles: FsmoRole[] = [];
  for (const [role, base] of holders) {
    const [entry] = await session.search({
      doing: `Reading who is ${role}`,
      base,
      scope: 'base',
      attributes: ['fSMORoleOwner'],
    });
    if (textOf(entry, 'fSMORoleOwner')?.toLowerCase() === own.settings.toLowerCase()) roles.push(role);
  }
  return roles;
}
