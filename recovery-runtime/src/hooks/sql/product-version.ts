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
