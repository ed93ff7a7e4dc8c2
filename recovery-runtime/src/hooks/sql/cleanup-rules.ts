import * as z from 'zod';
import { parseProductVersion } from '#contract/pcs7-version.ts';

const version = z.string().refine((text) => parseProductVersion(text) !== undefined, {
  error: 'a PCS 7 version, e.g. "V8.0" or "V8.1 SP1"',
});

/** `REPORT`: a person decides. */
export const cleanupActionSchema = z.enum(['DROP', 'DETACH', 'KEEP', 'REPORT']);
export type CleanupAction = z.infer<typeof cleanupActionSchema>;

export const cleanupRuleSchema = z.strictObject({
  /** The rule with the smallest one decides. */
  priority: z.int().positive(),
  /** LIKE patterns over `state_desc` and the name. */
  state: z.string().min(1),
  name: z.string().min(1),
  action: cleanupActionSchema,
  /** The end of the sentence "… because …". */
  why: z.string().min(1),
  /** PCS 7 versions that it counts for, both included; absent: all that are cleaned at all. */
  from: version.optional(),
  until: version.optional(),
});
export type CleanupRule = z.infer<typeof cleanupRuleSchema>;

/**
 * WinCC names its databases itself: `CC_<project>_<time>` for configuration, and with `R` at the end for
 * Runtime; `<computer>_<project>_TLG_…` and `…_ALG_…` for archive segments. Siemens' script takes everything
 * that begins with CC or has ALG or TLG anywhere in it, CCTV and Salgado included, so what only fits those
 * patterns is shown to a person.
 */
const winCcNames = ['CC[_]%', '%[_]ALG[_]%', '%[_]TLG[_]%'];
const looseNames = ['CC%', '%ALG%', '%TLG%'];

/** Siemens FAQ 56897157, section 5.3: DROP what is in RECOVERY_PENDING, DETACH all other PCS 7 databases. */
export const cleanupRules: readonly CleanupRule[] = [
  ...winCcNames.map(
    (name, at): CleanupRule => ({
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
      priority: 30 + at,
      state: '%',
      name,
      action: 'DETACH',
      why: 'it is a WinCC database and its management data are older than its project',
    }),
  ),
  ...looseNames.map(
    (name, at): CleanupRule => ({
      priority: 40 + at,
      state: '%',
      name,
      action: 'REPORT',
      why: "its name is like those that Siemens' script takes, but not one that WinCC gives",
    }),
  ),
  {
    priority: 50,
    state: 'RECOVERY_PENDING',
    name: '%',
    action: 'REPORT',
    why: "Siemens' script would drop it, but its name is none of WinCC's; its files may only be missing for now",
  },
  { priority: 99, state: '%', name: '%', action: 'KEEP', why: 'it is no PCS 7 database' },
];
