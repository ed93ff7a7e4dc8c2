/**
 * Modalias: the text by which the kernel names a device (`pci:v00008086d000010D3…`) and a module the
 * devices it binds (the same with `*`, `?` and `[…]`). Matching is fnmatch(3) without flags, as in kmod.
 */

/** kmod treats `-` and `_` in aliases as one, except inside brackets (libkmod, alias_normalize). */
export function normaliseAlias(alias: string): string {
  return alias.replace(/\[[^\]]*\]|-/g, (part) => (part === '-' ? '_' : part));
}

/** True when the module alias `pattern` binds the device `modalias`. Both normalised. */
export function matchesModalias(pattern: string, modalias: string): boolean {
  let p = 0;
  let m = 0;
  let starPattern = -1;
  let starModalias = 0;
  while (m < modalias.length) {
    if (pattern[p] === '*') {
      starPattern = p++;
      starModalias = m;
      continue;
    }
    const width = matchOne(pattern, p, modalias[m] as string);
    if (width > 0) {
      p += width;
      m++;
    } else if (starPattern >= 0) {
      // Give the last star one character more, and try the rest again.
      p = starPattern + 1;
      m = ++starModalias;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** How many characters of the pattern at `at` match `character`; 0 when none do. */
function matchOne(pattern: string, at: number, character: string): number {
  const one = pattern[at];
  if (one === '?') return 1;
  if (one !== '[') return one === character ? 1 : 0;
  const end = pattern.indexOf(']', at + 2);
  if (end < 0) return character === '[' ? 1 : 0;
  const negated = pattern[at + 1] === '!' || pattern[at + 1] === '^';
  let inside = false;
  for (let i = at + (negated ? 2 : 1); i < end; i++) {
    const low = pattern[i] as string;
    const isRange = pattern[i + 1] === '-' && i + 2 < end;
    const high = isRange ? (pattern[i + 2] as string) : low;
    if (character >= low && character <= high) inside = true;
    if (isRange) i += 2;
  }
  return inside === negated ? 0 : end + 1 - at;
}

/** What a PCI modalias says about its device. */
export interface PciModalias {
  /** vendor:device, lower case. */
  readonly id: string;
  readonly subsystem: string;
  /** Class, subclass, programming interface: six hex digits, lower case. */
  readonly pciClass: string;
}

/** Reads `pci:v…d…sv…sd…bc..sc..i..`; undefined for the modalias of another bus. */
export function parsePciModalias(modalias: string): PciModalias | undefined {
  const match =
    /^pci:v0000([0-9A-F]{4})d0000([0-9A-F]{4})sv0000([0-9A-F]{4})sd0000([0-9A-F]{4})bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-F]{2})/i.exec(
      modalias,
    );
  if (match === null) return undefined;
  const [vendor, device, subVendor, subDevice, ...classParts] = match.slice(1).map((x) => x.toLowerCase());
  return {
    id: `${vendor}:${device}`,
    subsystem: `${subVendor}:${subDevice}`,
    pciClass: classParts.join(''),
  };
}

/** The modalias that the kernel makes of PCI ids (drivers/pci/pci-driver.c, pci_uevent). */
export function formatPciModalias({ id, subsystem, pciClass }: PciModalias): string {
  const [vendor, device] = id.toUpperCase().split(':');
  const [subVendor, subDevice] = subsystem.toUpperCase().split(':');
  const [base, sub, programming] = (pciClass.toUpperCase().match(/../g) ?? []) as string[];
  return `pci:v0000${vendor}d0000${device}sv0000${subVendor}sd0000${subDevice}bc${base}sc${sub}i${programming}`;
}

/**
 * The virtio device behind a PCI function of vendor 1af4: a second bus, whose driver the passport's PCI
 * modaliases cannot name (virtio 1.2, 4.1.2.1: modern ids are 0x1040 + type, transitional ones carry the
 * type as subsystem device id). Undefined for anything else.
 */
export function virtioModalias({ id, subsystem }: PciModalias): string | undefined {
  const [vendor, device] = id.split(':');
  const deviceId = Number.parseInt(device ?? '', 16);
  if (vendor !== '1af4' || !(deviceId >= 0x1000 && deviceId <= 0x107f)) return undefined;
  const [subVendor = '', subDevice = ''] = subsystem.split(':');
  const type = deviceId >= 0x1040 ? deviceId - 0x1040 : Number.parseInt(subDevice, 16);
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
  return `virtio:d${hex(type)}v${hex(Number.parseInt(subVendor, 16))}`;
}
