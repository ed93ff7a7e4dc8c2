/** Secrets of a domain rejoin that the server makes and the station uses once (hook kind `domain-rejoin`). */
export const offlineJoinFile = 'offline-join.blob';
export const oneTimePasswordFile = 'one-time-password';

/** Evidence of its preflight: what is to be expected of the trust, `intact` or `broken`. */
export const trustEvidence = 'trust';

/** Evidence of the preflight of `domain-controller`: its verdict; this one needs no protection. */
export const verdictEvidence = 'verdict';
export const soleController = 'sole-controller';
/** It has partners: it never starts normally before it has got a new invocationId. */
export const stateHookRequired = 'state-hook-required';

/** Evidence of the same preflight: which system state of the store it gets, as STATION@<UTC time>. */
export const systemStateEvidence = 'system state';

/** Names of what a controller says of itself, as evidence (values `yes`, `no`, a number). */
export const ownReportEvidence = {
  event1109: 'event 1109',
  event2095: 'event 2095',
  notWritable: 'Dsa Not Writable',
  restoreCount: 'DSA Previous Restore Count',
  /** Of event 1109: upper-case; absent where the event did not name it. */
  invocationIdNow: 'invocationId now',
  /** `lifted`, `kept` or `not held`. */
  quarantine: 'quarantine',
  /** `from-partner`, `pending`, `failed` or `not-asked`. */
  sysvol: 'SYSVOL',
  /** In the image's registry, read before the first start. */
  restoreCountBefore: 'DSA Previous Restore Count before',
} as const;
