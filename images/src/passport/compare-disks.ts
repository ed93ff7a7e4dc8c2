import type { Difference } from './difference.ts';
import type { PassportDisk } from './hardware-passport.ts';

/**
 * Disks: the same one is found by WWN or serial, wherever it is attached. One that is gone may have been
 * replaced by another on the same controller with the same sector size; whether its size is enough is for
 * the restore plan, which knows the last block in use. Sticks and other removable media come and go.
 */
export function compareDisks(
  expected: readonly PassportDisk[],
  found: readonly PassportDisk[],
): Difference[] {
  const fixed = expected.filter(({ removable }) => !removable);
  const free = new Set(found.filter(({ removable }) => !removable));
  const same = new Map<PassportDisk, PassportDisk>();
  for (const disk of fixed) {
    const candidates = [...free].filter((other) => isSameDisk(disk, other));
    const other = candidates.find(({ slot }) => slot === disk.slot) ?? candidates[0];
    if (other === undefined) continue;
    same.set(disk, other);
    free.delete(other);
  }

  const differences: Difference[] = [];
  for (const disk of fixed) {
    const other = same.get(disk);
    if (other !== undefined) {
      differences.push(...compareSameDisk(disk, other));
      continue;
    }
    const replacement = findReplacement(disk, [...free]);
    if (replacement !== undefined) free.delete(replacement);
    differences.push(describeReplacement(disk, replacement));
  }
  for (const disk of free) {
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

function isSameDisk(a: PassportDisk, b: PassportDisk): boolean {
  if (a.wwn !== undefined && a.wwn === b.wwn) return true;
  if (a.serial !== undefined && b.serial !== undefined) return a.serial === b.serial && a.model === b.model;
  // Nothing names it (some virtual disks): its place, model and size have to do.
  const nameless = [a, b].every(({ wwn, serial }) => wwn === undefined && serial === undefined);
  return nameless && a.slot === b.slot && a.model === b.model && a.sizeBytes === b.sizeBytes;
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

/** One in the same place, else the only one left on the same controller. */
function findReplacement(disk: PassportDisk, free: readonly PassportDisk[]): PassportDisk | undefined {
  const inPlace = free.find(({ slot }) => slot === disk.slot);
  if (inPlace !== undefined) return inPlace;
  const onController = free.filter(({ slot }) => controllerOf(slot) === controllerOf(disk.slot));
  return onController.length === 1 ? onController[0] : undefined;
}

function describeReplacement(disk: PassportDisk, other: PassportDisk | undefined): Difference {
  const field = `disk ${disk.slot}`;
  if (other === undefined) {
    return {
      field,
      severity: 'fatal',
      expected: describe(disk),
      found: 'no disk',
      sentence: `Disk ${describe(disk)} at ${disk.slot} is missing, and no single disk on its controller can take its place.`,
    };
  }
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

function controllerOf(slot: string): string {
  return slot.split('/')[0] ?? slot;
}

function describe({ model, serial, wwn, sizeBytes }: PassportDisk): string {
  const name = serial === undefined ? (wwn ?? 'without serial') : `serial ${serial}`;
  return `${model === '' ? 'without model name' : model}, ${name}, ${formatSize(sizeBytes)}`;
}

/** Decimal, as disks are sold. */
function formatSize(bytes: number): string {
  return bytes >= 1e12 ? `${(bytes / 1e12).toFixed(1)} TB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
