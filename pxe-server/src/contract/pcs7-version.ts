import { type CleanupRule, cleanupRules } from './sql-cleanup-rules.ts';

/** A PCS 7 version as Siemens writes it: `V8.0`, `V8.1 SP1`, `V9.0 SP3 UC04`. What follows the service pack does not count. */
export interface ProductVersion {
  readonly major: number;
  readonly minor: number;
  readonly servicePack: number;
}

/** Undefined when it is no such version: unknown versions are never cleaned without a person. */
export function parseProductVersion(text: string): ProductVersion | undefined {
  const [, major, minor, servicePack] =
    /^\s*V?(\d{1,2})\.(\d)(?:\s*SP\s*(\d{1,2}))?(?:\s.*)?$/i.exec(text) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), servicePack: Number(servicePack ?? 0) };
}

function compareVersions(a: ProductVersion, b: ProductVersion): number {
  return a.major - b.major || a.minor - b.minor || a.servicePack - b.servicePack;
}

/** Below 0: older than what the rule was written for; 0: it counts; above 0: newer. */
function compareWithRule(version: ProductVersion, { from, until }: CleanupRule): number {
  const [first, last] = [from, until].map((text) => {
    const parsed = parseProductVersion(text);
    if (parsed === undefined) throw new RangeError(`"${text}" of a rule is no PCS 7 version`);
    return parsed;
  }) as [ProductVersion, ProductVersion];
  if (compareVersions(version, first) < 0) return -1;
  return compareVersions(version, last) > 0 ? 1 : 0;
}

/** Whether the management data of an SQL Server are cleared after a restore. */
export type VersionGate =
  /** Management data have to be cleared: rules were written for this version. */
  | { readonly kind: 'run' }
  /** PCS 7 does it itself: it is newer than every rule. */
  | { readonly kind: 'skip'; readonly why: string }
  /** Nobody has said that this is right for that version: list, and wait for a person. */
  | { readonly kind: 'list-only'; readonly why: string };

/** @param text PCS 7 version from the hook plan or from the operator; undefined when nobody knows it */
export function gateByVersion(
  text: string | undefined,
  rules: readonly CleanupRule[] = cleanupRules,
): VersionGate {
  const version = text === undefined ? undefined : parseProductVersion(text);
  if (version === undefined) {
    return {
      kind: 'list-only',
      why: `the PCS 7 version is ${text === undefined ? 'not known' : `"${text}"`}`,
    };
  }
  const sides = rules.map((rule) => compareWithRule(version, rule));
  if (sides.includes(0)) return { kind: 'run' };
  if (sides.length > 0 && sides.every((side) => side > 0))
    return { kind: 'skip', why: `PCS 7 ${text} clears its management data itself` };
  return { kind: 'list-only', why: `no rule was written for PCS 7 ${text}` };
}

/** Those that count for a version, the deciding one first. Where none does, all of them, to be listed by. */
export function rulesFor(
  text: string | undefined,
  rules: readonly CleanupRule[] = cleanupRules,
): CleanupRule[] {
  const version = text === undefined ? undefined : parseProductVersion(text);
  const counting = version === undefined ? [] : rules.filter((rule) => compareWithRule(version, rule) === 0);
  return (counting.length > 0 ? counting : rules).toSorted((a, b) => a.priority - b.priority);
}
