/**
 * Will a restored member of a domain still be trusted? Its image holds the machine password of the moment it was
 * taken; the domain holds the one of `pwdLastSet`. Windows and Samba change it by themselves every rotation period
 * (default 30 days), and the domain accepts the previous one for a part of its services only: one change already
 * breaks the secure channel. Pure.
 */

import { formatMinute } from './filetime.ts';

/** A computer account as the directory has it. */
export interface ComputerAccount {
  readonly distinguishedName: string;
  /** Undefined: never, or reset to "must be changed". */
  readonly passwordLastSet: Date | undefined;
  readonly userAccountControl: number;
  /**
   * May the account that asks write its restrictions? Part of the rights that a rejoin needs, and the only part that a
   * directory tells without a try.
   */
  readonly writable: boolean;
}

/** Bits of userAccountControl (MS-ADTS 2.2.16). */
export const accountDisabled = 0x2;
const serverTrustAccount = 0x2000;

export const isController = ({ userAccountControl }: ComputerAccount): boolean =>
  (userAccountControl & serverTrustAccount) !== 0;

export interface TrustEvidence {
  readonly computerName: string;
  /** DNS name of the domain that answered. */
  readonly domain: string;
  /** DNS name of the domain that the station's plan names. */
  readonly memberOf: string;
  /** Undefined: the domain has no such account. */
  readonly account: ComputerAccount | undefined;
  readonly imageTakenAt: Date;
  readonly rotationDays: number;
  readonly now: Date;
}

export type TrustPrediction = {
  /**
   * - `broken`: has to be repaired after the restore
   * - `intact`: nothing is to be done
   * - `refused`: no repair of ours can help; a person has to do something first
   */
  readonly kind: 'intact' | 'broken' | 'refused';
  readonly sentence: string;
  readonly warnings: readonly string[];
  readonly next?: string;
};

const dayMs = 86_400_000;
/** What Kerberos allows clocks of a domain to differ. */
const clockToleranceMs = 300_000;

export function predictTrust(evidence: TrustEvidence): TrustPrediction {
  const { computerName, domain, memberOf, account, imageTakenAt, rotationDays, now } = evidence;
  if (memberOf.toLowerCase() !== domain.toLowerCase()) {
    return {
      kind: 'refused',
      sentence: `The station is a member of ${memberOf}, but the controllers of its plan are of ${domain}`,
      warnings: [],
      next: 'Correct `directory` in the hook plan of the station.',
    };
  }
  if (account === undefined) {
    return {
      kind: 'refused',
      sentence: `The domain ${domain} has no computer account ${computerName}`,
      warnings: [],
      next: `Let an administrator of the domain restore it from the AD recycle bin, or create it; then ask again. A new account has other group memberships.`,
    };
  }
  if ((account.userAccountControl & accountDisabled) !== 0) {
    return {
      kind: 'refused',
      sentence: `The computer account ${computerName} is disabled in ${domain}`,
      warnings: [],
      next: 'Find out why, then let an administrator of the domain enable it.',
    };
  }
  if (!account.writable) {
    return {
      kind: 'refused',
      sentence: `The account of this site has no rights on the computer account ${computerName}`,
      warnings: [],
      next: 'Let an administrator of the domain delegate the rights of docs/domain.md on this computer account.',
    };
  }
  const ageDays = Math.floor((now.getTime() - imageTakenAt.getTime()) / dayMs);
  const old =
    ageDays >= rotationDays
      ? [`The image is ${ageDays} days old; machine passwords change every ${rotationDays} days.`]
      : [];
  if (account.passwordLastSet === undefined) {
    return {
      kind: 'broken',
      sentence: `The computer account ${computerName} was reset: no password of an image fits it`,
      warnings: old,
    };
  }
  if (account.passwordLastSet > imageTakenAt) {
    return {
      kind: 'broken',
      sentence: `The machine password of ${computerName} was changed on ${formatMinute(account.passwordLastSet)}, after the image was taken on ${formatMinute(imageTakenAt)}: the domain will not trust the restored station`,
      warnings: old,
    };
  }
  if (imageTakenAt.getTime() - account.passwordLastSet.getTime() < clockToleranceMs) {
    return {
      kind: 'broken',
      sentence: `The machine password of ${computerName} was changed within five minutes of the image; two clocks cannot tell which was first`,
      warnings: old,
    };
  }
  return {
    kind: 'intact',
    sentence: `The machine password of ${computerName} is that of the image (last changed on ${formatMinute(account.passwordLastSet)})`,
    warnings: old,
  };
}
