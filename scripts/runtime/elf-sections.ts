/** A section of an ELF file: bytes. */
export interface ElfSection {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** Looks a section up in what `readelf --section-headers --wide` prints. */
export function findSection(listing: string, name: string): ElfSection | undefined {
  const columns = String.raw`\s+PROGBITS\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s`;
  const found = new RegExp(`\\s${name.replaceAll('.', '\\.')}${columns}`).exec(listing);
  if (found === null) return undefined;
  const [address = 0, offset = 0, size = 0] = found.slice(1).map((hex) => Number.parseInt(hex, 16));
  return { address, offset, size };
}
