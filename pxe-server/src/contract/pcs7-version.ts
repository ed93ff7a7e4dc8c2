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

export function compareVersions(a: ProductVersion, b: ProductVersion): number {
  return a.major - b.major || a.minor - b.minor || a.servicePack - b.servicePack;
}

/** Whether the management data of an SQL Server are cleared after a restore (Siemens FAQ 56897157, section 5.3). */
export type VersionGate =
  /** Management data have to be cleared. */
  | { readonly kind: 'run' }
  /** PCS 7 does it itself. */
  | { readonly kind: 'skip'; readonly why: string }
  /** Nobody has said that this is right for that version: list, and wait for a person. */
  | { readonly kind: 'list-only'; readonly why: string };

/** @param text PCS 7 version from the image's manifest or from the operator; undefined when nobody knows it */
export function gateByVersion(text: string | undefined): VersionGate {
  const version = text === undefined ? undefined : parseProductVersion(text);
  if (version === undefined) {
    return {
      kind: 'list-only',
      why: `the PCS 7 version is ${text === undefined ? 'not known' : `"${text}"`}`,
    };
  }
  if (compareVersions(version, { major: 8, minor: 1, servicePack: 1 }) >= 0) {
    return { kind: 'skip', why: `PCS 7 ${text} clears its management data itself (from V8.1 SP1 on)` };
  }
  if (compareVersions(version, { major: 8, minor: 0, servicePack: 0 }) < 0) {
    return { kind: 'list-only', why: `PCS 7 ${text} is older than V8.0, which the rules were written for` };
  }
  return { kind: 'run' };
}
