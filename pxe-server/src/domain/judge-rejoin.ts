import type { HookResult } from '#contract/hook-result.ts';
import { accountDisabled, type ComputerAccount } from './predict-trust.ts';

/** What the domain says after a rejoin. A station that says "done" has not proved it; its domain can. Pure. */
export interface RejoinEvidence {
  readonly computerName: string;
  /** PwdLastSet before the repair, as preflight saw it. */
  readonly passwordBefore: Date | undefined;
  readonly account: ComputerAccount | undefined;
  /** The latest `lastLogon` of the account that any controller has; it does not replicate. */
  readonly lastLogon: Date | undefined;
}

export function judgeRejoin({
  computerName,
  passwordBefore,
  account,
  lastLogon,
}: RejoinEvidence): HookResult {
  if (account === undefined || (account.userAccountControl & accountDisabled) !== 0) {
    return {
      outcome: 'failed',
      sentence: `The domain has no usable computer account ${computerName} any more.`,
      next: 'Find out who removed or disabled it.',
    };
  }
  const { passwordLastSet } = account;
  if (passwordLastSet === undefined || (passwordBefore !== undefined && passwordLastSet <= passwordBefore)) {
    return {
      outcome: 'failed',
      sentence: `The machine password of ${computerName} was not changed in the domain.`,
      next: `Rejoin it: rekindle hook domain ${computerName} --rejoin`,
    };
  }
  const changed = passwordLastSet.toISOString();
  if (lastLogon === undefined || lastLogon < passwordLastSet) {
    return {
      outcome: 'unverified',
      sentence: `The machine password of ${computerName} was changed at ${changed}, but no controller has seen the station log on with it yet.`,
    };
  }
  return {
    outcome: 'done',
    sentence: `${computerName} has logged on to its domain at ${lastLogon.toISOString()}, with the machine password of ${changed}.`,
  };
}
