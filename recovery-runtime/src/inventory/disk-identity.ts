/** Pure readers of what a disk says about itself in SCSI vital product data (SPC-4, 7.8). */

/** Unit serial number page (0x80); undefined when the page is not that or is blank. */
export function parseUnitSerial(page: Uint8Array): string | undefined {
  if (page.length < 4 || page[1] !== 0x80) return undefined;
  return printable(page.subarray(4, 4 + pageLength(page)));
}

/**
 * Full model of an ATA disk: the kernel's translation puts all 40 characters in a T10 designator of the
 * device identification page (0x83) and only 16 of them in the inquiry data (SAT-3, 10.3.4).
 */
export function parseAtaModel(page: Uint8Array): string | undefined {
  if (page.length < 4 || page[1] !== 0x83) return undefined;
  const end = Math.min(page.length, 4 + pageLength(page));
  for (let at = 4; at + 4 <= end; ) {
    const type = (page[at + 1] ?? 0) & 0x0f;
    const length = page[at + 3] ?? 0;
    const designator = page.subarray(at + 4, Math.min(end, at + 4 + length));
    const t10Vendor = 1;
    if (type === t10Vendor && printable(designator.subarray(0, 8)) === 'ATA' && designator.length >= 48) {
      return printable(designator.subarray(8, 48));
    }
    at += 4 + length;
  }
  return undefined;
}

function pageLength(page: Uint8Array): number {
  return ((page[2] ?? 0) << 8) | (page[3] ?? 0);
}

function printable(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '')
    .trim();
  return text === '' ? undefined : text;
}
