/** Secrets of a domain rejoin that the server makes and the station uses once (hook kind `domain-rejoin`). */
export const offlineJoinFile = 'offline-join.blob';
export const oneTimePasswordFile = 'one-time-password';

/** Evidence of its preflight: what is to be expected of the trust, `intact` or `broken`. */
export const trustEvidence = 'trust';

/** Evidence of the preflight of `domain-controller`: its verdict; this one needs no protection. */
export const verdictEvidence = 'verdict';
export const soleController = 'sole-controller';
