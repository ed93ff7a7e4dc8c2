/**
 * What is done with which database of a restored SQL Server, for which PCS 7: data, and the one place that decides it.
 * The gate (pcs7-version.ts), the plan over the network and the script on the station all read these rows.
 */
export interface CleanupRule {
  /** The rule with the smallest one decides. */
  readonly priority: number;
  /** LIKE patterns over `state_desc` and the name. */
  readonly state: string;
  readonly name: string;
  /** `REPORT`: a person decides. */
  readonly action: 'DROP' | 'DETACH' | 'KEEP' | 'REPORT';
  /** The end of the sentence "… because …". */
  readonly why: string;
  /** PCS 7 versions that it was written for, both included. */
  readonly from: string;
  readonly until: string;
}
export type CleanupAction = CleanupRule['action'];

/** Siemens FAQ 56897157, section 5.3: from V8.1 SP1 on PCS 7 clears its management data itself. */
const versions = { from: 'V8.0', until: 'V8.1' };

/**
 * WinCC names its databases itself: `CC_<project>_<time>` for configuration, and with `R` at the end for
 * Runtime; `<computer>_<project>_TLG_…` and `…_ALG_…` for archive segments. Siemens' script takes everything
 * that begins with CC or has ALG or TLG anywhere in it, CCTV and Salgado included, so what only fits those
 * patterns is shown to a person.
 */
const winCcNames = ['CC[_]%', '%[_]ALG[_]%', '%[_]TLG[_]%'];
const looseNames = ['CC%', '%ALG%', '%TLG%'];

/** DROP what is in RECOVERY_PENDING, DETACH all other PCS 7 databases. */
export const cleanupRules: readonly CleanupRule[] = [
  ...winCcNames.map(
    (name, at): CleanupRule => ({
      ...versions,
      priority: 10 + at,
      state: 'RECOVERY_PENDING',
      name,
      action: 'DROP',
      why: 'it is a WinCC database whose files are not those of the image',
    }),
  ),
  ...['RESTORING', 'RECOVERING'].flatMap((state, group) =>
    winCcNames.map(
      (name, at): CleanupRule => ({
        ...versions,
        priority: 20 + 3 * group + at,
        state,
        name,
        action: 'REPORT',
        why: 'it is a WinCC database that the instance is still working on',
      }),
    ),
  ),
  ...winCcNames.map(
    (name, at): CleanupRule => ({
      ...versions,
      priority: 30 + at,
      state: '%',
      name,
      action: 'DETACH',
      why: 'it is a WinCC database and its management data are older than its project',
    }),
  ),
  ...looseNames.map(
    (name, at): CleanupRule => ({
      ...versions,
      priority: 40 + at,
      state: '%',
      name,
      action: 'REPORT',
      why: "its name is like those that Siemens' script takes, but not one that WinCC gives",
    }),
  ),
  {
    ...versions,
    priority: 50,
    state: 'RECOVERY_PENDING',
    name: '%',
    action: 'REPORT',
    why: "Siemens' script would drop it, but its name is none of WinCC's; its files may only be missing for now",
  },
  { ...versions, priority: 99, state: '%', name: '%', action: 'KEEP', why: 'it is no PCS 7 database' },
];
