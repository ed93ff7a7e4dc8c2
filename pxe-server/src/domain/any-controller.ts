import { errorChain, RekindleError } from '#base/errors.ts';
import { type DirectorySession, openDirectory } from './directory-session.ts';
import type { DomainSettings } from './domain-settings.ts';

export type AnyController =
  | { readonly kind: 'open'; readonly session: DirectorySession }
  /** None answers, each with its reason. */
  | { readonly kind: 'unreachable'; readonly why: string };

/**
 * The first configured controller that answers. A station that is a controller itself is never asked about itself:
 * what counts is what the others have of it.
 * @throws RekindleError `usage`: the domain refuses the account, which another controller would do too
 */
export async function openAnyController(settings: DomainSettings, except?: string): Promise<AnyController> {
  const reasons: string[] = [];
  for (const controller of settings.controllers) {
    if (except !== undefined && isNamed(controller, except)) continue;
    try {
      return { kind: 'open', session: await openDirectory(controller, settings) };
    } catch (error) {
      if (!(error instanceof RekindleError) || error.code !== 'store-unreachable') throw error;
      reasons.push(errorChain(error).join(': '));
    }
  }
  return { kind: 'unreachable', why: reasons.join('; ') || 'no other controller is configured' };
}

/** Computer names are the first label of a DNS name, and have no case. */
export function isNamed(controller: string, computerName: string): boolean {
  return controller.split('.')[0]?.toLowerCase() === computerName.toLowerCase();
}
