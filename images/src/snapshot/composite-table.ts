import type { Region } from './plan-snapshot.ts';

/** Device nodes that stand for a disk while it is captured. */
export interface CompositeParts {
  /** The disk, read-only, without a claim on it. */
  readonly disk: string;
  /** A file as long as the disk, with the saved ranges at their places. */
  readonly saved: string;
  readonly snapshot: (name: string) => string;
}

const sector = 512;

/** The device-mapper table of the disk that stands still (Documentation/admin-guide/device-mapper, linear and zero). */
export function formatCompositeTable(regions: readonly Region[], parts: CompositeParts): string {
  const target = ({ startByte, from }: Region): string => {
    switch (from.kind) {
      case 'disk':
        return `linear ${parts.disk} ${startByte / sector}`;
      case 'saved':
        return `linear ${parts.saved} ${startByte / sector}`;
      case 'snapshot':
        return `linear ${parts.snapshot(from.name)} ${from.offset / sector}`;
      case 'zero':
        return 'zero';
    }
  };
  return regions
    .map((region) => `${region.startByte / sector} ${region.sizeBytes / sector} ${target(region)}`)
    .join('\n');
}
