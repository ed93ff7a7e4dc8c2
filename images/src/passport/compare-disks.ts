import type { Difference } from './difference.ts';
import type { PassportDisk } from './hardware-passport.ts';
import { type DiskMatch, matchDisks } from './match-disks.ts';

/**
 * Disks, known again by the rule of `matchDisks`. One that is gone may have been replaced by another in its place
 * with the same sector size; whether its size is enough is for the restore plan, which knows the last block in
 * use. Sticks and other removable media come and go.
 */
export function compareDisks(
  expected: readonly PassportDisk[],
  found: readonly PassportDisk[],
): Difference[] {
  const fixed = expected.filter(({ removable }) => !removable);
  const matches = matchDisks(
    fixed.map((disk) => [disk]),
    found,
  );
  const known = new Set(matches.flatMap(disksOf));
  const differences = fixed.flatMap((disk, at) => compareDisk(disk, matches[at] as DiskMatch));
  for (const disk of found.filter((each) => !each.removable && !known.has(each))) {
    differences.push({
      field: `disk ${disk.slot}`,
      severity: 'note',
      expected: 'no disk',
      found: describe(disk),
      sentence: `Disk ${describe(disk)} at ${disk.slot} is not in the passport; it is not touched.`,
    });
  }
  return differences;
}

function disksOf(match: DiskMatch): readonly PassportDisk[] {
  if (match.kind === 'missing') return [];
  return match.kind === 'twice' ? match.disks : [match.disk];
}

function compareDisk(disk: PassportDisk, match: DiskMatch): Difference[] {
  const field = `disk ${disk.slot}`;
  switch (match.kind) {
    case 'same':
      return compareSameDisk(disk, match.disk);
    case 'replaced':
      return [describeReplacement(disk, match.disk)];
    case 'twice':
      return [
        {
          field,
          severity: 'note',
          expected: describe(disk),
          found: match.disks.map(({ slot }) => slot).join(', '),
          sentence: `Disk ${describe(disk)} is there ${match.disks.length} times, at ${match.disks.map(({ slot }) => slot).join(' and ')}: neither can be written.`,
        },
      ];
    case 'missing':
      return [
        {
          field,
          severity: 'fatal',
          expected: describe(disk),
          found: 'no disk',
          sentence: `Disk ${describe(disk)} is missing, and ${match.why}.`,
        },
      ];
  }
}

function compareSameDisk(disk: PassportDisk, other: PassportDisk): Difference[] {
  const field = `disk ${disk.slot}`;
  const [was, is] = [describe(disk), describe(other)];
  const differences: Difference[] = [];
  if (other.logicalSectorBytes !== disk.logicalSectorBytes) {
    differences.push({
      field,
      severity: 'fatal',
      expected: `${disk.logicalSectorBytes}-byte sectors`,
      found: `${other.logicalSectorBytes}-byte sectors`,
      sentence: `Disk ${is} now has sectors of ${other.logicalSectorBytes} bytes instead of ${disk.logicalSectorBytes}: the image's partition table does not fit.`,
    });
  }
  if (other.slot !== disk.slot) {
    differences.push({
      field,
      severity: 'note',
      expected: disk.slot,
      found: other.slot,
      sentence: `Disk ${is} is attached at ${other.slot} instead of ${disk.slot}; check the boot order in firmware set-up.`,
    });
  }
  if (other.sizeBytes !== disk.sizeBytes) {
    differences.push({
      field,
      severity: 'note',
      expected: was,
      found: is,
      sentence: `Disk ${is} had ${formatSize(disk.sizeBytes)} before.`,
    });
  }
  return differences;
}

function describeReplacement(disk: PassportDisk, other: PassportDisk): Difference {
  const field = `disk ${disk.slot}`;
  if (other.logicalSectorBytes !== disk.logicalSectorBytes) {
    return {
      field,
      severity: 'fatal',
      expected: `${describe(disk)}, ${disk.logicalSectorBytes}-byte sectors`,
      found: `${describe(other)}, ${other.logicalSectorBytes}-byte sectors`,
      sentence: `Disk ${describe(other)} cannot replace ${describe(disk)}: its sectors have ${other.logicalSectorBytes} bytes instead of ${disk.logicalSectorBytes}.`,
    };
  }
  const smaller =
    other.sizeBytes < disk.sizeBytes ? ' It is smaller: the restore plan decides whether it is enough.' : '';
  return {
    field,
    severity: 'replaced-part',
    expected: describe(disk),
    found: describe(other),
    sentence: `The disk at ${disk.slot} was replaced: ${describe(other)} instead of ${describe(disk)}.${smaller}`,
  };
}

function describe({ model, serial, wwn, sizeBytes }: PassportDisk): string {
  const name = serial === undefined ? (wwn ?? 'without serial') : `serial ${serial}`;
  return `${model === '' ? 'without model name' : model}, ${name}, ${formatSize(sizeBytes)}`;
}

/** Decimal, as disks are sold. */
function formatSize(bytes: number): string {
  return bytes >= 1e12 ? `${(bytes / 1e12).toFixed(1)} TB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
